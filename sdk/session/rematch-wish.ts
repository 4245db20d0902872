// A peer's wish for another game: said until the log has it, for as long as somebody waits for it, and taken back when nobody does.
import { ClosedError, hasCode, InvalidArgumentError, type Clock, type PeerId } from "../base/index.ts";
import { seatOf, type Roster, type RosterCommand } from "./roster.ts";
import { waitFor } from "./wait.ts";

/** Between two tries to say it, ms. */
const AGAIN_MS = 1_000;
/** How proposing fails where it may work later, or may have worked. */
const OPEN_OUTCOMES = ["proposal-timeout", "leadership-lost", "busy", "not-leader", "storage-quota"] as const;

/** What the wish needs of its session. */
export interface RematchWishOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly roster: () => Roster;
  /** Why the session is over; undefined while it is not. */
  readonly ended: () => Error | undefined;
  readonly propose: (command: RosterCommand) => Promise<void>;
  /** Calls its argument after every change, the end included; returns the function that stops it. */
  readonly subscribe: (changed: () => void) => () => void;
}

/** Those of one tab who wait for the next game. */
export class RematchWish {
  readonly #options: RematchWishOptions;
  /** Who waits, and for the game after which. */
  readonly #waiting = new Map<object, number>();
  /** A word is on its way, so that what the roster says of this peer's wish may be old. */
  #saying = 0;

  constructor(options: RematchWishOptions) {
    this.#options = options;
  }

  /** Resolves once the next game has begun. See `GameSession.rematch`. */
  async ask(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { roster, clock, subscribe } = this.#options;
    if (!this.#isSeated) throw new InvalidArgumentError("a rematch is for those who hold a seat to ask for");
    const { game } = roster();
    const waiter = {};
    let failure: { readonly error: unknown } | undefined;
    let poke = (): void => {};
    const say = (): void => {
      void this.#say(true, game, () => this.#waiting.has(waiter)).catch((error: unknown) => {
        failure = { error };
        poke();
      });
    };
    const check = (): true | undefined => {
      const { ended } = this.#options;
      if (roster().game > game) return true;
      const end = ended();
      if (end !== undefined) throw end;
      if (failure !== undefined) throw failure.error;
      if (!this.#isSeated || !this.#waiting.has(waiter)) throw new ClosedError("the wish for a rematch");
      // A word to take it back, said earlier, came later.
      if (this.#saying === 0 && !this.#isAsked) say();
      return undefined;
    };
    this.#waiting.set(waiter, game);
    // Also where the log has the wish: asked again it is looked at again, and whoever did not want one may be gone.
    say();
    try {
      await waitFor({
        check, clock, ms: Infinity, onTimeout: () => true as const, signal,
        subscribe: (changed) => {
          poke = changed;
          return subscribe(changed);
        },
      });
    } finally {
      this.#waiting.delete(waiter);
      if (this.#waiting.size === 0) this.#takeBackSoon(game);
    }
  }

  /** Takes the wish back, whoever waits for it, and also one from before this tab was reloaded. See `GameSession.cancelRematch`. */
  async cancel(): Promise<void> {
    const end = this.#options.ended();
    if (end !== undefined) throw end;
    const { game } = this.#options.roster();
    this.#waiting.clear();
    await this.#say(false, game, () => this.#waiting.size === 0);
  }

  get #isSeated(): boolean {
    return seatOf(this.#options.roster(), this.#options.self) !== undefined;
  }

  get #isAsked(): boolean {
    return this.#options.roster().asked.includes(this.#options.self);
  }

  #takeBackSoon(game: number): void {
    // A word under way may still say that it is wished for.
    if (this.#isAsked || this.#saying > 0) void this.#say(false, game, () => this.#waiting.size === 0).catch(() => {});
  }

  /** Says it until that is committed, is void, or is `wanted` no more. Rejects where it can not be said. */
  async #say(wants: boolean, game: number, isWanted: () => boolean): Promise<void> {
    const { roster, ended, propose, clock, subscribe } = this.#options;
    const isVoid = (): boolean => ended() !== undefined || roster().game !== game || !this.#isSeated || !isWanted();
    this.#saying += 1;
    try {
      while (!isVoid()) {
        try {
          return await propose({ type: "rematch", wants, game });
        } catch (error) {
          if (!OPEN_OUTCOMES.some((code) => hasCode(error, code)) && ended() === undefined) throw error;
        }
        await waitFor({ check: () => isVoid() || undefined, subscribe, clock, ms: AGAIN_MS, onTimeout: () => true });
      }
      return undefined;
    } finally {
      this.#saying -= 1;
    }
  }
}
