// The tab on purpose out of order: frozen for a few seconds, or its node dead until the page is loaded again. Says so over the board, and takes no clicks meanwhile.
import { byId, say } from "./dom.ts";
import type { Faults } from "./faults.ts";

const FROZEN_S = 10;

/** What a stopped tab does not answer to. The inspector stays, to look at what it believes. */
const STILL = ["board", "after", "talk", "players", "room"];

/** The buttons that stop this tab, and the card that says it is stopped. */
export class Standstill {
  readonly #card: HTMLElement = byId("still", HTMLElement);
  readonly #title: HTMLElement = byId("still-title", HTMLElement);
  readonly #about: HTMLElement = byId("still-about", HTMLElement);
  readonly #end: HTMLButtonElement = byId("still-end", HTMLButtonElement);
  readonly #freeze: HTMLButtonElement = byId("freeze", HTMLButtonElement);
  #faults: Faults | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#freeze.addEventListener("click", () => this.#freezeFor(FROZEN_S));
    byId("kill", HTMLButtonElement).addEventListener("click", () => this.#faults?.kill());
    this.#end.addEventListener("click", () => (this.#faults?.state === "killed" ? location.reload() : this.#faults?.thaw()));
    // Who has crashed says nothing when its page goes: the match never hears of it.
    addEventListener("pagehide", (event) => void (this.#faults?.state === "killed" && event.stopImmediatePropagation()), { capture: true });
  }

  open(faults: Faults): void {
    this.#faults = faults;
    this.render();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#faults = undefined;
    this.render();
  }

  /** Shows what the faults say. */
  render(): void {
    const state = this.#faults?.state ?? "running";
    const wasStopped = !this.#card.hidden;
    const isStopped = state !== "running";
    if (!isStopped) clearTimeout(this.#timer);
    this.#card.hidden = !isStopped;
    for (const id of STILL) byId(id, HTMLElement).inert = isStopped;
    document.body.toggleAttribute("data-still", isStopped);
    if (wasStopped && !isStopped && document.activeElement === document.body) this.#freeze.focus();
    if (!isStopped) return;
    say(this.#title, state === "killed" ? "This tab’s node is dead" : "This tab stands still");
    if (state === "killed") say(this.#about, "It stopped in the middle of a word and said goodbye to nobody. The others play on; what was agreed on is waiting for it.");
    say(this.#end, state === "killed" ? "Come back" : "Thaw now");
    if (!wasStopped || document.activeElement === document.body) this.#end.focus();
  }

  #freezeFor(seconds: number): void {
    clearTimeout(this.#timer);
    if (this.#faults?.state === "killed") return;
    if (seconds <= 0) return this.#faults?.thaw();
    say(this.#about, `It neither hears nor speaks, and does not know it. It goes on in ${seconds} s.`);
    this.#faults?.freeze();
    this.#timer = setTimeout(() => this.#freezeFor(seconds - 1), 1000);
  }
}
