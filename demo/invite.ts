// Passing the link on: copy everywhere, the system's share sheet where there is one.
import { byId, say } from "./dom.ts";

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

/** The invitation: a card while the table waits, a button in the masthead afterwards. */
export class Invite {
  readonly #card: HTMLElement = byId("invite", HTMLElement);
  readonly #field: HTMLInputElement = byId("invite-url", HTMLInputElement);
  readonly #said: HTMLElement = byId("invite-said", HTMLElement);
  #url = "";

  constructor() {
    const share = byId("invite-share", HTMLButtonElement);
    const small = byId("room-copy", HTMLButtonElement);
    share.hidden = typeof navigator.share !== "function";
    this.#field.addEventListener("focus", () => this.#field.select());
    byId("invite-copy", HTMLButtonElement).addEventListener("click", () => void this.#copy());
    share.addEventListener("click", () => void this.#share());
    small.addEventListener("click", () => void this.#copySmall(small));
  }

  /** Sets the link to pass on and the code shown beside it. */
  open(invite: { readonly code: string; readonly url: string }): void {
    this.#url = invite.url;
    this.#field.value = invite.url;
    const code = byId("room-code", HTMLElement);
    say(code, invite.code);
    code.title = invite.code;
    say(this.#said, "");
  }

  /** Shows or hides the card over the board. */
  show(visible: boolean): void {
    this.#card.hidden = !visible;
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
