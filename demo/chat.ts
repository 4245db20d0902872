// Talk on the page: lines, emotes that float over the board, and the form to send both. Everybody who is connected hears it, watchers too; nothing of it is kept.
import type { Match, MatchPlayer, PeerId, Seam } from "../sdk/index.ts";
import { byId, drawing, element, say } from "./dom.ts";
import { markOf } from "./marks.ts";
import { cleanText, decodeRemark, EMOTES, encodeRemark, LINES_MAX, TEXT_CHARS_MAX, Turnstile, type Emote, type Remark } from "./talk.ts";
import { type Action, type TicTacToe } from "./tic-tac-toe.ts";

const CHANNEL = "talk";
/** How long an emote is over the board, ms: as long as it rises (see style.css). */
const FLOAT_MS = 2600;
/** More than these at once and the oldest leaves early. */
const FLOATS_MAX = 12;

function drawEmote({ strokes }: Emote): SVGSVGElement {
  return drawing("svg", { viewBox: "0 0 32 32", class: "glyph", "aria-hidden": "true", children: strokes.map((d) => drawing("path", { d })) });
}

/** The talk of one match at a time. */
export class Chat {
  readonly #lines: HTMLElement = byId("chat-lines", HTMLElement);
  readonly #field: HTMLInputElement = byId("chat-text", HTMLInputElement);
  readonly #said: HTMLElement = byId("chat-said", HTMLElement);
  readonly #floats: HTMLElement = byId("floats", HTMLElement);
  readonly #emotes: readonly HTMLButtonElement[];
  readonly #send: HTMLButtonElement = byId("chat-send", HTMLButtonElement);
  #turnstile: Turnstile = new Turnstile();
  #flooding = new Set<PeerId>();
  #channel: Seam | undefined;
  #players: () => readonly MatchPlayer[] = () => [];
  #off: () => void = () => {};

  constructor() {
    this.#field.maxLength = TEXT_CHARS_MAX;
    byId("chat", HTMLFormElement).addEventListener("submit", (event) => this.#submit(event));
    this.#emotes = EMOTES.map((emote) => this.#emoteButton(emote));
    byId("emotes", HTMLElement).append(...this.#emotes);
  }

  /** Talks in this match until `close`. */
  open(match: Match<TicTacToe, Action>): void {
    this.#channel = match.channel(CHANNEL);
    this.#players = () => match.players.get();
    this.#off = this.#channel.on("frame", (from, bytes) => this.#hear(from, bytes));
  }

  /** Nothing more can be said once the match is over. */
  enable(isOpen: boolean): void {
    for (const control of [this.#field, this.#send, ...this.#emotes]) control.disabled = !isOpen;
  }

  /** Forgets everything that was said. */
  close(): void {
    this.#off();
    this.#off = () => {};
    this.#channel = undefined;
    this.#turnstile = new Turnstile();
    this.#flooding = new Set();
    this.#lines.replaceChildren();
    this.#floats.replaceChildren();
    this.#field.value = "";
    say(this.#said, "");
  }

  #emoteButton(emote: Emote): HTMLButtonElement {
    const button = element("button", { type: "button", class: "emote", title: emote.words, "aria-label": emote.words, "data-testid": `emote-${emote.id}`, children: [drawEmote(emote)] });
    button.addEventListener("click", () => void this.#say({ type: "emote", emote }));
    return button;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const text = cleanText(this.#field.value);
    if (text !== "" && this.#say({ type: "say", text })) this.#field.value = "";
  }

  /** Says it and shows it here; false when it was not said. */
  #say(remark: Remark): boolean {
    const channel = this.#channel;
    if (channel === undefined || channel.state.phase === "torn") return false;
    if (!this.#turnstile.admits(channel.selfId, performance.now())) {
      say(this.#said, "One moment: that was a lot at once.");
      return false;
    }
    channel.broadcast(encodeRemark(remark));
    say(this.#said, channel.peers.size > 1 ? "" : "Nobody else is here yet to read it.");
    this.#show(channel.selfId, remark);
    return true;
  }

  #hear(from: PeerId, bytes: Uint8Array): void {
    const isInTime = this.#turnstile.admits(from, performance.now());
    if (!isInTime) return this.#leaveOut(from);
    this.#flooding.delete(from);
    const remark = decodeRemark(bytes);
    if (remark !== undefined) this.#show(from, remark);
  }

  /** Said once per flood, so that the remark about it does not become one. */
  #leaveOut(from: PeerId): void {
    if (this.#flooding.has(from)) return;
    this.#flooding.add(from);
    this.#append(element("li", { class: "chat-note", text: `${this.#speaker(from).name} talks faster than this page shows.` }));
  }

  #speaker(peer: PeerId): { readonly name: string; readonly mark: string; readonly isSelf: boolean } {
    const player = this.#players().find((each) => each.peer === peer);
    return { name: player?.name ?? "Somebody", mark: markOf(player?.seat), isSelf: player?.isSelf ?? false };
  }

  #show(from: PeerId, remark: Remark): void {
    const { name, mark, isSelf } = this.#speaker(from);
    const words = element("span", remark.type === "say" ? { class: "chat-words", text: remark.text } : { class: "chat-words", children: [document.createTextNode(`${remark.emote.words} `), drawEmote(remark.emote)] });
    this.#append(element("li", {
      "data-mark": mark,
      "data-self": String(isSelf),
      // The space is for who hears the line: "Ana: hello".
      children: [element("b", { class: "chat-name", text: isSelf ? "You" : name }), document.createTextNode(": "), words],
    }));
    if (remark.type === "emote") this.#float(remark.emote, { name: isSelf ? "You" : name, mark });
  }

  #append(line: HTMLLIElement): void {
    const isAtEnd = this.#lines.scrollHeight - this.#lines.scrollTop - this.#lines.clientHeight < 40;
    this.#lines.append(line);
    while (this.#lines.childElementCount > LINES_MAX) this.#lines.firstElementChild?.remove();
    // Who scrolled back to read is left there.
    if (isAtEnd) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  /** Over the board on its speaker's side. For the eye alone: the line in the list is what is read out. */
  #float(emote: Emote, { name, mark }: { readonly name: string; readonly mark: string }): void {
    const float = element("div", { class: "float", "data-emote": emote.id, "data-mark": mark, children: [drawEmote(emote), element("span", { class: "float-name", text: name })] });
    float.style.setProperty("--drift", `${Math.round(Math.random() * 40 - 20)}px`);
    this.#floats.append(float);
    while (this.#floats.childElementCount > FLOATS_MAX) this.#floats.firstElementChild?.remove();
    setTimeout(() => float.remove(), FLOAT_MS);
  }
}
