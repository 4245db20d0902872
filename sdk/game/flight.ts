// One proposed action from its proposal to its verdict: the promises a caller holds. Not for state.
import { ClosedError, type LogIndex } from "../base/index.ts";
import { OutcomeUnknownError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnAction } from "./speculation.ts";

/** A proposed action whose fate is open. */
export class Flight<Action> {
  own: OwnAction<Action>;
  /** What the proposer awaits: the verdict, or word that it is unknown for now. */
  readonly outcome: Promise<Outcome>;
  /** The verdict, however long it takes. */
  readonly settled: Promise<Outcome>;
  /** The proposal failed in a way that leaves open whether it was committed. */
  isUnknown = false;
  /** How often it was proposed again under its key. */
  retries = 0;
  /** An earlier incarnation proposed it: it may have left. */
  isResumed = false;
  /** A proposal of it is on its way. */
  isUnderWay = false;
  /** Where the log says it was committed, once it said so. */
  committedIndex: LogIndex | undefined;
  #isSettled = false;
  #resolve: (outcome: Outcome) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #rejectSettled: (error: unknown) => void = () => {};

  constructor(own: OwnAction<Action>) {
    this.own = own;
    let settle: (outcome: Outcome) => void = () => {};
    this.settled = new Promise((resolve, reject) => {
      settle = resolve;
      this.#rejectSettled = reject;
    });
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = (outcome) => {
        settle(outcome);
        resolve(outcome);
      };
      this.#reject = reject;
    });
    // Both may be rejected with nobody waiting, and that is not an accident of the program.
    this.settled.catch(() => {});
    this.outcome.catch(() => {});
  }

  /** The verdict is known. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The log decided. */
  settle(outcome: Outcome): void {
    this.#isSettled = true;
    this.#resolve(outcome);
  }

  /** The fate is open: the proposer is told now, the verdict follows. */
  leaveOpen(cause: unknown): void {
    this.isUnknown = true;
    this.#reject(new OutcomeUnknownError(this.own.dedupKey, this.settled, { cause }));
  }

  /** The proposer stopped waiting. */
  stopWaiting(reason: unknown): void {
    this.isUnknown = true;
    this.#reject(reason);
  }

  /** This side closes before the log decided. */
  close(): void {
    const closed = new ClosedError("the match");
    this.#isSettled = true;
    this.#rejectSettled(closed);
    this.#reject(new OutcomeUnknownError(this.own.dedupKey, this.settled, { cause: closed }));
  }
}
