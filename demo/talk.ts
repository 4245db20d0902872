// What people say to each other beside the game: words and emotes as frames of an app channel. Pure; not in the log, so nothing here is remembered for anybody.

/** One-click remarks. The drawing is for the eye, the words are for everybody. */
export const EMOTES: readonly Emote[] = [
  { id: "ahoy", words: "Ahoy!", strokes: ["M9 28V4", "M9 5C14 2 17 8 23 5V15C17 18 14 12 9 15"] },
  { id: "nice", words: "Nice one", strokes: ["M16 4L19.6 11.6L27.8 12.7L21.8 18.5L23.3 26.7L16 22.7L8.7 26.7L10.2 18.5L4.2 12.7L12.4 11.6Z"] },
  { id: "haha", words: "Ha!", strokes: ["M16 4A12 12 0 1 0 16.1 4", "M9.5 13C10.5 11.2 12.5 11.2 13.5 13", "M18.5 13C19.5 11.2 21.5 11.2 22.5 13", "M10 18H22C21.4 22 19 24 16 24C13 24 10.6 22 10 18Z"] },
  { id: "oops", words: "Oops", strokes: ["M16 4A12 12 0 1 0 16.1 4", "M11.5 11.5V13.5", "M20.5 11.5V13.5", "M16 17.5A2.6 3.2 0 1 0 16.1 17.5"] },
  { id: "hmm", words: "Hmm…", strokes: ["M16 4A12 12 0 1 0 16.1 4", "M11.5 12.5V14.5", "M20.5 12.5V14.5", "M18.5 9L23 7.8", "M11 21.5C14 19.8 17 19.8 20.5 21.2"] },
  { id: "thanks", words: "Good game", strokes: ["M16 27C7 20.5 4 16.5 4 11.8C4 8 6.8 5.5 10 5.5C12.6 5.5 14.8 7 16 9.5C17.2 7 19.4 5.5 22 5.5C25.2 5.5 28 8 28 11.8C28 16.5 25 20.5 16 27Z"] },
];

/** One of {@link EMOTES}. */
export interface Emote {
  readonly id: string;
  readonly words: string;
  /** Lines of a drawing in a square of 32. */
  readonly strokes: readonly string[];
}

/** What one frame says. */
export type Remark = { readonly type: "say"; readonly text: string } | { readonly type: "emote"; readonly emote: Emote };

/** Longest line, in UTF-16 units as a text field counts them; a longer one is cut. */
export const TEXT_CHARS_MAX = 200;
/** Lines kept on the page; the oldest go first. */
export const LINES_MAX = 100;
/** A frame of our making is smaller, whatever the characters. */
const FRAME_BYTES_MAX = 2048;

/** Remarks one person may make at once … */
const BURST = 6;
/** … and how long it takes until one more may follow, ms. */
const REFILL_MS = 1200;
/** People whose pace is remembered; the one longest unheard is forgotten first. */
const PEOPLE_MAX = 64;

/** One line of plain text: no control characters, nothing that turns the writing direction round, no runs of blanks, at most {@link TEXT_CHARS_MAX} characters. */
export function cleanText(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, " ").replaceAll(/\s+/gu, " ").trim();
  // A pair of surrogates cut in two leaves one that means nothing.
  return plain.slice(0, TEXT_CHARS_MAX).replaceAll(/\p{Cs}/gu, "").trim();
}

/** The frame that says this. */
export function encodeRemark(remark: Remark): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(remark.type === "say" ? { say: remark.text } : { emote: remark.emote.id }));
}

/** What a frame says; undefined when it says nothing we know, which a modified client can send as well as a newer one. */
export function decodeRemark(bytes: Uint8Array): Remark | undefined {
  if (bytes.length > FRAME_BYTES_MAX) return undefined;
  const said = parsed(bytes);
  if (typeof said !== "object" || said === null) return undefined;
  if ("say" in said && typeof said.say === "string") {
    const text = cleanText(said.say);
    return text === "" ? undefined : { type: "say", text };
  }
  const emote = "emote" in said ? EMOTES.find(({ id }) => id === said.emote) : undefined;
  return emote === undefined ? undefined : { type: "emote", emote };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Keeps a flood out: each person may make a few remarks at once, and then one every so often. */
export class Turnstile {
  /** Who → when their allowance is full again, ms; in the order they were last let in. */
  readonly #fullAt = new Map<string, number>();

  /** Whether one more remark of `who` passes at `now`; one that does not costs nothing. */
  admits(who: string, now: number): boolean {
    const fullAt = Math.max(this.#fullAt.get(who) ?? 0, now) + REFILL_MS;
    if (fullAt - now > BURST * REFILL_MS) return false;
    this.#fullAt.delete(who);
    this.#fullAt.set(who, fullAt);
    const oldest = this.#fullAt.keys().next().value;
    if (this.#fullAt.size > PEOPLE_MAX && oldest !== undefined) this.#fullAt.delete(oldest);
    return true;
  }
}
