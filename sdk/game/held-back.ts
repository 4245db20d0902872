// Actions of an earlier incarnation that are illegal so far. A log that was just opened may know less to be committed than the tab had seen, so until it
// has caught up they are tried again with each event instead of being given up. Not for promises: those are the flights'.
import type { LogIndex } from "../base/index.ts";
import type { Flight } from "./flight.ts";
import type { Seat } from "./game.ts";
import { predict, rebase, type Departed, type LogPoint, type Rebased, type Rulebook, type Speculation } from "./speculation.ts";

/** What a trial needs to know. */
export interface Trial<State, Action> {
  readonly rules: Rulebook<State, Action>;
  readonly speculation: Speculation<State, Action>;
  readonly point: LogPoint;
}

/** Holds resumed actions back until they are legal or the log has caught up. */
export class HeldBack<State, Action> {
  readonly #resumed: ReadonlySet<Flight<Action>>;
  readonly #held = new Set<Flight<Action>>();
  #isCatchingUp = false;
  #isAsking = false;

  constructor(resumed: readonly Flight<Action>[]) {
    this.#resumed = new Set(resumed);
  }

  /** Nothing is held: the usual case, and it costs nothing. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** What the log holds already is replayed: from now on everything resumed and still in `flights` is held. Before, nothing is tried, so that a long replay costs nothing more. */
  begin(flights: readonly Flight<Action>[]): void {
    for (const flight of flights) if (this.#resumed.has(flight)) this.#held.add(flight);
    this.#isCatchingUp = this.#held.size > 0;
  }

  /** The action is settled. */
  release(flight: Flight<Action>): void {
    this.#held.delete(flight);
  }

  /** Asks whether the log has caught up, until it has; once at a time. `caughtUp` is called when it is known. */
  ask(read: () => Promise<LogIndex>, caughtUp: () => void): void {
    if (!this.#isCatchingUp || this.#isAsking) return;
    this.#isAsking = true;
    void read().then(
      caughtUp,
      // Nobody answers now; asked again when the log moves.
      () => (this.#isAsking = false),
    );
  }

  /** Of what departs, keeps back what was resumed; returns the rest. */
  keep(departed: readonly Departed<Action>[], flights: readonly Flight<Action>[]): readonly Departed<Action>[] {
    if (!this.#isCatchingUp || departed.length === 0) return departed;
    return departed.filter(({ own }) => {
      const flight = flights.find((each) => each.own === own);
      if (flight === undefined || !this.#resumed.has(flight)) return true;
      this.#held.add(flight);
      return false;
    });
  }

  /** Everything in `flights` that is shown or legal now, in that order, when something held back became legal; else undefined. Held actions act from `player`'s seat. */
  show({ rules, speculation, point }: Trial<State, Action>, flights: readonly Flight<Action>[], player: Seat | undefined): Rebased<State, Action> | undefined {
    if (this.isEmpty) return undefined;
    for (const flight of this.#held) if (flight.own.player !== player) flight.own = { ...flight.own, player };
    const shown = new Set(speculation.predicted.map(({ own }) => own));
    const owns = flights.filter((flight) => shown.has(flight.own) || this.#held.has(flight)).map(({ own }) => own);
    const rebased = rebase(rules, speculation.confirmed, owns, point);
    const legal = new Set(rebased.speculation.predicted.map(({ own }) => own));
    const shownNow = [...this.#held].filter(({ own }) => legal.has(own));
    if (shownNow.length === 0) return undefined;
    for (const flight of shownNow) this.#held.delete(flight);
    return { speculation: rebased.speculation, departed: rebased.departed.filter(({ own }) => shown.has(own)) };
  }

  /** The log has caught up: what is illegal still is given up, with its reason. */
  giveUp({ rules, speculation, point }: Trial<State, Action>): readonly Departed<Action>[] {
    this.#isCatchingUp = false;
    const results = [...this.#held].map(({ own }) => predict(rules, speculation, own, point));
    this.#held.clear();
    return results.flatMap((result) => ("reason" in result ? [result] : []));
  }
}
