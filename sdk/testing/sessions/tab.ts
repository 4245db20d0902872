// One person's tab: finds its place as a page does, and leaves as a page does. Everything it sets in motion is counted.
import { hasCode, seededRandom, type PeerId, type Random } from "../../base/index.ts";
import { enterMatch, isElsewhere } from "../../open-match-enter.ts";
import type { MemoryDisk } from "../../storage/index.ts";
import type { MemoryHub, MemorySeam } from "../../seam/index.ts";
import type { GameSession, PageVisibility } from "../../session/index.ts";
import { TabClock, type EventClock } from "./clock.ts";
import { TabStore } from "./disk.ts";
import { CountingSeam } from "./seam.ts";

/** What a tab is made of. */
export interface TabOptions {
  readonly id: PeerId;
  readonly name: string;
  readonly disk: MemoryDisk;
  readonly watches: boolean;
  readonly seats: number;
  readonly spares: boolean;
  readonly learningSpectators: number | undefined;
  readonly clock: EventClock;
  readonly hub: MemoryHub;
  readonly random: Random;
  /** It is in; `isFirst`: for the first time, so that it must be where it was before. */
  readonly onSession: (session: GameSession, isFirst: boolean) => void;
  /** It ended by itself: put out, or never let in. */
  readonly onOver: (why: unknown) => void;
}

/** A page's visibility, turned by hand. */
class Page implements PageVisibility {
  isHidden = false;
  readonly #listeners = new Set<() => void>();

  on(_event: "visibility", listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  turn(isHidden: boolean): void {
    this.isHidden = isHidden;
    for (const listener of this.#listeners) listener();
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}

/** One life of a page. */
export class Tab {
  readonly page: Page = new Page();
  readonly openedAt: number;
  session: GameSession | undefined;
  readonly #options: TabOptions;
  readonly #clock: TabClock;
  readonly #seam: MemorySeam;
  readonly #counted: CountingSeam;
  readonly #store: TabStore;
  readonly #leaving = new AbortController();
  #isOver = false;
  #entering: Promise<void> = Promise.resolve();
  #ending: Promise<unknown> = Promise.resolve();

  constructor(options: TabOptions) {
    this.#options = options;
    this.openedAt = options.clock.now();
    this.#clock = new TabClock(options.clock);
    this.#seam = options.hub.seam(options.id);
    this.#counted = new CountingSeam(this.#seam);
    this.#store = new TabStore(options.disk);
    this.#enter(true);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves once nothing of it is under way any more, after it ended by itself. */
  get ended(): Promise<void> {
    return Promise.all([this.#ending, this.#entering]).then(() => {});
  }

  /** What it has not given back; empty is the only good answer once it ended. */
  get leftOver(): string {
    const left = { timers: this.#clock.pendingTimers, listeners: this.#counted.listeners, pageListeners: this.page.listeners };
    return Object.values(left).every((count) => count === 0) ? "" : JSON.stringify(left);
  }

  /** The player leaves for good. */
  leave(): Promise<void> {
    return this.#end(() => this.session?.leave());
  }

  /** The tab is closed or reloaded: what must be said is said at once, and it may come back. */
  close(): Promise<void> {
    return this.#end(() => {
      this.session?.part();
      return this.session?.close();
    });
  }

  /** The tab is gone between two instructions; the others notice when they do. */
  async crash(noticedAfterMs: number | undefined): Promise<void> {
    this.#isOver = true;
    this.#store.cut();
    this.#leaving.abort(new Error("the tab crashed"));
    this.#options.hub.kill(this.#options.id, { noticedAfterMs });
    const ended = this.session?.close();
    await Promise.all([ended, this.#ending, this.#entering]);
  }

  async #end(say: () => Promise<void> | undefined): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const said = say();
    this.#leaving.abort(new Error("the tab was closed"));
    const torn = this.#seam.close();
    await Promise.all([said, torn, this.#ending, this.#entering]);
    await this.session?.close();
  }

  #enter(mayResume: boolean): void {
    const { watches: spectate, seats, name, spares, learningSpectators, random } = this.#options;
    const options = { clock: this.#clock, random: seededRandom(random.uint32(), random.uint32()), name, spares, learningSpectators, feedFanOut: 2, storage: this.#store, visibility: this.page, rules: "sim@1", signal: this.#leaving.signal };
    this.#entering = enterMatch({ meeting: { seam: this.#counted, seen: new Set() }, seats, spectate, mayResume, session: options }).then(
      (session) => this.#entered(session, mayResume),
      (error: unknown) => {
        if (!this.#isOver) this.#over(error);
      },
    );
  }

  #entered(session: GameSession, isFirst: boolean): void {
    this.session = session;
    if (this.#isOver) {
      this.#ending = session.close();
      return;
    }
    session.on("closed", (reason) => this.#closed(session, reason));
    this.#options.onSession(session, isFirst);
    if (session.isClosed) this.#closed(session, session.failure);
  }

  #closed(session: GameSession, reason: Error | undefined): void {
    if (this.#isOver || this.session !== session) return;
    this.#ending = session.close();
    this.session = undefined;
    if (isElsewhere(reason)) this.#enter(false);
    else this.#over(reason);
  }

  #over(why: unknown): void {
    this.#isOver = true;
    this.#ending = Promise.all([this.#ending, this.#seam.close()]);
    this.#options.onOver(why);
  }
}

/** Whether a person whose tab ended for this reason would try again. */
export function isWorthAnotherTry(why: unknown): boolean {
  return hasCode(why, "join-timeout") || hasCode(why, "spectate-timeout") || hasCode(why, "duplicate-host");
}
