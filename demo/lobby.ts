// Before the match: a name, and whether to start a game or to join one by link or code.
import { byId, say } from "./dom.ts";

/** What the visitor asked for. `hash` is what the address bar should hold; empty for a new room. */
export interface Wish {
  readonly hash: string;
  readonly name: string;
  readonly watch: boolean;
}

const NAME_KEY = "flotilla-demo:name";
const BIRDS = ["Puffin", "Heron", "Gannet", "Petrel", "Tern", "Kittiwake", "Plover", "Fulmar", "Avocet", "Eider", "Osprey", "Shearwater"];

const PROMISE = "There is no game server: the open tabs agree on every mark among themselves.";
const TEXTS: Readonly<Record<"uninvited" | "invited", Readonly<Record<string, string>>>> = {
  uninvited: {
    "lobby-title": "Tic-tac-toe, from tab to tab",
    "lobby-lead": `Send a friend a link and play. ${PROMISE}`,
    "code-label": "Or join one by its code or link",
    "create-button": "Start a game",
  },
  invited: {
    "lobby-title": "You are invited to a round",
    "lobby-lead": `Pick a name and sit down. ${PROMISE}`,
    "code-label": "The room you are invited to",
    "create-button": "Start a game of my own instead",
  },
};

/** The `#…` part that names a room, from an invitation link, its `#…` part alone, or a bare code; empty when there is none. */
export function hashOf(text: string): string {
  const trimmed = text.trim();
  const mark = trimmed.indexOf("#");
  if (mark >= 0) return new URLSearchParams(trimmed.slice(mark + 1)).get("room") ? trimmed.slice(mark) : "";
  return trimmed === "" || /[\s/?&=]/.test(trimmed) ? "" : `#room=${encodeURIComponent(trimmed)}`;
}

/** The room's code within such a hash. */
export function codeOf(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, "")).get("room") ?? "";
}

// Private windows may refuse storage: then the name is simply not remembered.
function remembered(): string | undefined {
  try {
    return localStorage.getItem(NAME_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    return;
  }
}

/** The first screen. Tells `onWish` what was asked for and shows what came of it. */
export class Lobby {
  readonly #root: HTMLElement = byId("lobby", HTMLElement);
  readonly #name: HTMLInputElement = byId("name", HTMLInputElement);
  readonly #code: HTMLInputElement = byId("code", HTMLInputElement);
  readonly #trouble: HTMLElement = byId("lobby-trouble", HTMLElement);
  readonly #onWish: (wish: Wish) => void;

  constructor(onWish: (wish: Wish) => void) {
    this.#onWish = onWish;
    const anyBird = BIRDS[Math.floor(Math.random() * BIRDS.length)] ?? "Puffin";
    this.#name.value = remembered() ?? anyBird;
    byId("create", HTMLFormElement).addEventListener("submit", (event) => this.#submit(event, () => ""));
    byId("join", HTMLFormElement).addEventListener("submit", (event) => this.#submit(event, () => hashOf(this.#code.value)));
  }

  /** The name as it will be shown to the others. */
  get name(): string {
    return this.#name.value.trim() || "Player";
  }

  /** Puts an invitation in front: joining becomes the first choice. Without one, starting a game is. */
  invite(hash: string): void {
    const invited = hash !== "";
    this.#root.toggleAttribute("data-invited", invited);
    this.#code.value = invited ? codeOf(hash) : this.#code.value;
    this.#name.setAttribute("form", invited ? "join" : "create");
    // The whole hash is kept: it may carry more than the code.
    this.#code.dataset["hash"] = hash;
    byId("join-button", HTMLButtonElement).classList.toggle("primary", invited);
    byId("create-button", HTMLButtonElement).classList.toggle("primary", !invited);
    for (const [id, text] of Object.entries(TEXTS[invited ? "invited" : "uninvited"])) say(byId(id, HTMLElement), text);
  }

  /** While a room is being opened nothing else can be asked for. */
  busy(isBusy: boolean): void {
    this.#root.toggleAttribute("data-busy", isBusy);
    this.#root.setAttribute("aria-busy", String(isBusy));
    for (const button of this.#root.querySelectorAll<HTMLButtonElement>("form button")) button.disabled = isBusy;
    byId("opening", HTMLElement).hidden = !isBusy;
  }

  /** Says what went wrong; an empty text takes it back. */
  trouble(text: string): void {
    say(this.#trouble, text);
  }

  #submit(event: SubmitEvent, hash: () => string): void {
    event.preventDefault();
    const isJoin = event.currentTarget === byId("join", HTMLFormElement);
    const kept = this.#code.dataset["hash"] ?? "";
    const wanted = isJoin && kept !== "" && codeOf(kept) === this.#code.value.trim() ? kept : hash();
    if (isJoin && wanted === "") return this.#ask();
    remember(this.name);
    this.trouble("");
    this.#onWish({ hash: wanted, name: this.name, watch: isJoin && byId("watch", HTMLInputElement).checked });
  }

  #ask(): void {
    this.trouble("Enter the code or the link somebody sent you.");
    this.#code.focus();
  }
}
