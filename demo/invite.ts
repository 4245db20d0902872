// Passing the link on: to copy everywhere, as a QR code, as a code to type, and by the system's share sheet where there is one.
import { byId, put, say } from "./dom.ts";
import { drawQr } from "./qr.ts";

const SAID_MS = 4000;

async function copied(text: string, field: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission or not a secure page: the link stands selected, ready for the keyboard.
    field.focus();
    field.select();
    return false;
  }
}

/** Names under which only this computer finds itself. */
const HERE = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/u;

/** The invitation: a card while the table waits, buttons in the masthead afterwards. */
export class Invite {
  readonly #card: HTMLElement = byId("invite", HTMLElement);
  readonly #field: HTMLInputElement = byId("invite-url", HTMLInputElement);
  readonly #said: HTMLElement = byId("invite-said", HTMLElement);
  readonly #qr: HTMLButtonElement = byId("room-qr", HTMLButtonElement);
  readonly #close: HTMLButtonElement = byId("invite-close", HTMLButtonElement);
  #url = "";
  /** The table waits for somebody: the card is there by itself. */
  #isWaiting = false;
  /** Somebody asked for the card. */
  #isAsked = false;

  constructor() {
    const share = byId("invite-share", HTMLButtonElement);
    const small = byId("room-copy", HTMLButtonElement);
    share.hidden = typeof navigator.share !== "function";
    this.#field.addEventListener("focus", () => this.#field.select());
    byId("invite-copy", HTMLButtonElement).addEventListener("click", () => void this.#copy());
    share.addEventListener("click", () => void this.#share());
    small.addEventListener("click", () => void this.#copySmall(small));
    byId("invite-reach", HTMLElement).hidden = !HERE.test(location.hostname);
    this.#qr.addEventListener("click", () => this.#ask(!this.#isAsked));
    this.#close.addEventListener("click", () => this.#ask(false));
    this.#card.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(false);
    });
  }

  /** Sets the link to pass on and the code shown beside it. */
  open(invite: { readonly code: string; readonly url: string }): void {
    this.#url = invite.url;
    this.#field.value = invite.url;
    const code = byId("room-code", HTMLElement);
    say(code, invite.code);
    code.title = invite.code;
    // Where nothing shorter stands for the link, the link is what there is to type.
    say(byId("invite-code", HTMLElement), invite.code === invite.url ? "" : invite.code);
    byId("invite-code", HTMLElement).closest("p")?.toggleAttribute("hidden", invite.code === invite.url);
    byId("invite-qr", HTMLElement).replaceChildren(drawQr(invite.url));
    say(this.#said, "");
    this.#isAsked = false;
  }

  /** Lays the card over the board while the table waits for somebody; otherwise it is there when asked for. */
  show({ isWaiting, isFull }: { readonly isWaiting: boolean; readonly isFull: boolean }): void {
    this.#isWaiting = isWaiting;
    say(byId("invite-about", HTMLElement), `Whoever opens this link ${isFull ? "watches this match" : "sits down across from you"}. A phone scans the code.`);
    this.#render();
  }

  #ask(isAsked: boolean): void {
    const hadFocus = this.#card.contains(document.activeElement);
    this.#isAsked = isAsked && !this.#isWaiting;
    this.#render();
    if (this.#isAsked) {
      this.#card.scrollIntoView({ block: "nearest" });
      this.#close.focus();
    } else if (hadFocus && this.#card.hidden) this.#qr.focus();
  }

  #render(): void {
    if (this.#isWaiting) this.#isAsked = false;
    const isShown = this.#isWaiting || this.#isAsked;
    this.#card.hidden = !isShown;
    this.#close.hidden = this.#isWaiting;
    this.#qr.disabled = this.#isWaiting;
    put(this.#qr, "aria-expanded", String(isShown));
  }

  async #copy(): Promise<void> {
    say(this.#said, (await copied(this.#url, this.#field)) ? "Copied. Now send it." : "Copy the selected link.");
  }

  async #copySmall(button: HTMLButtonElement): Promise<void> {
    const done = await copied(this.#url, this.#field);
    say(button, done ? "Copied" : "See the address bar");
    setTimeout(() => say(button, "Copy link"), SAID_MS);
  }

  async #share(): Promise<void> {
    try {
      await navigator.share({ title: "Tic-tac-toe", text: "Play a round with me?", url: this.#url });
    } catch {
      say(this.#said, "Not shared. The link can still be copied.");
    }
  }
}
