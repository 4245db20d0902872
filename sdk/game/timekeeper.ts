// Sees to it that what is due happens also when nobody acts: whoever leads adds a tick to the log. Deciding what happens is happenings.ts.
import { LoggedClock, type Clock } from "../base/index.ts";
import type { DefinedGame } from "./game.ts";
import { nextDue } from "./happenings.ts";
import type { SpeculativeSequencer } from "./speculative-sequencer.ts";
import type { TurnSequencer } from "./turn-sequencer.ts";

/** Pause before a tick that was not committed, or came too early for its entry's time, is proposed again, ms. */
const AGAIN_MS = 1_000;
/** Longest single timer: a deadline may be a year away, and timers take 24 days at most. */
const TIMER_MS_MAX = 3_600_000;

/** What a {@link Timekeeper} is made from. */
export interface TimekeeperOptions<State, Action> {
  readonly game: DefinedGame<State, Action>;
  readonly sequencer: TurnSequencer<Action>;
  readonly speculative: SpeculativeSequencer<State, Action>;
  readonly clock: Clock;
  /** Whole ms since 1970: what entries are stamped with while this peer leads. */
  readonly wallClock: () => number;
  /** True while this peer leads: then its ticks are stamped by its own clock, and one of them is enough. */
  readonly isLeading: () => boolean;
}

/**
 * Proposes a tick when something of the game is due and this peer leads. Give one to every peer: whoever leads by then keeps the time, so that a
 * deadline outlives the tab that knew it. Two leaders that both propose do no harm: what is due happens once, at the first of the two.
 */
export class Timekeeper<State, Action> {
  readonly #options: TimekeeperOptions<State, Action>;
  readonly #time: LoggedClock;
  readonly #offs: readonly (() => void)[];
  #cancel: () => void = () => {};
  #isProposing = false;
  /** A deadline that was ticked past and stands: the game does not let go of it, and ticking on would change nothing. */
  #stuckAt: number | undefined;
  #isClosed = false;

  constructor(options: TimekeeperOptions<State, Action>) {
    this.#options = options;
    this.#time = new LoggedClock(options);
    this.#offs = [options.speculative.on("change", () => this.look()), options.speculative.on("closed", () => this.close())];
    this.look();
  }

  /** Looks again at what is due: call it when leadership changed. Cheap. */
  look(): void {
    this.#time.heard(this.#options.speculative.confirmedTime);
    this.#cancel();
    this.#cancel = (): void => {};
    const { game, speculative, isLeading } = this.#options;
    if (this.#isClosed || this.#isProposing || !isLeading()) return;
    const due = nextDue(game, speculative.confirmedState);
    if (due === undefined || due === this.#stuckAt) return;
    const left = due - this.#loggedNow();
    if (left <= 0) void this.#tick(due);
    else this.#wait(Math.min(left, TIMER_MS_MAX));
  }

  /** Stops, as it does when the sequencer closes. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const off of this.#offs) off();
    this.#cancel();
  }

  /** What an entry of this leader would be stamped with now. */
  #loggedNow(): number {
    this.#time.heard(this.#options.speculative.confirmedTime);
    return this.#time.now();
  }

  #wait(ms: number): void {
    this.#cancel = this.#options.clock.after(ms, () => this.look());
  }

  async #tick(due: number): Promise<void> {
    const { game, sequencer, speculative } = this.#options;
    this.#isProposing = true;
    let hasCommitted = true;
    try {
      await sequencer.proposeSystem({ type: "tick" });
    } catch {
      hasCommitted = false; // Nobody leads any more, or not yet again: whoever does looks by itself.
    }
    this.#isProposing = false;
    if (this.#isClosed) return;
    const stands = nextDue(game, speculative.confirmedState) === due;
    if (stands && hasCommitted && speculative.confirmedTime >= due) this.#stuckAt = due;
    if (stands) this.#wait(AGAIN_MS);
    else this.look();
  }
}
