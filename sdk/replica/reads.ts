// This node's open reads: asked once per turn together, asked again until confirmed, settled once the index is applied here.
import type { LogIndex } from "../base/index.ts";
import type { RaftMachine, ReadResult } from "../raft/index.ts";
import type { Settlement } from "./replica-core.ts";

/** Reads open at a time; one more is refused as `busy`. */
const READS_MAX = 4096;

interface Confirmed {
  readonly index: LogIndex;
  readonly tickets: readonly number[];
}

/** The open reads of one replica. */
export class Reads {
  readonly #timeoutTicks: number;
  readonly #settle: (ticket: number, settlement: Settlement) => void;
  readonly #deadlines = new Map<number, number>();
  /** Not asked yet, or to be asked again. */
  #fresh: number[] = [];
  #again: number[] = [];
  readonly #asked = new Map<number, readonly number[]>();
  #confirmed: Confirmed[] = [];
  #nextId = 1;
  #now = 0;

  constructor(timeoutTicks: number, settle: (ticket: number, settlement: Settlement) => void) {
    this.#timeoutTicks = timeoutTicks;
    this.#settle = settle;
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  add(ticket: number): void {
    if (this.#deadlines.size >= READS_MAX) return this.#settle(ticket, { outcome: "refused", reason: "busy" });
    this.#deadlines.set(ticket, this.#now + this.#timeoutTicks);
    this.#fresh.push(ticket);
  }

  cancel(ticket: number): void {
    this.#deadlines.delete(ticket);
  }

  /** All reads that came since the last turn share one question: each came before it is asked. */
  flush(raft: Pick<RaftMachine, "readIndex">): void {
    if (this.#fresh.length === 0) return;
    const id = this.#nextId;
    this.#nextId += 1;
    this.#asked.set(id, this.#fresh);
    this.#fresh = [];
    raft.readIndex(id);
  }

  answered({ id, index }: ReadResult): void {
    const tickets = this.#asked.get(id);
    if (tickets === undefined) return;
    this.#asked.delete(id);
    if (index === undefined) this.#again.push(...tickets);
    else this.#confirmed.push({ index, tickets });
  }

  /** Settles what is confirmed and applied. */
  release(applied: LogIndex): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter(({ index }) => index <= applied);
    if (ready.length === 0) return;
    this.#confirmed = this.#confirmed.filter(({ index }) => index > applied);
    for (const { index, tickets } of ready) {
      for (const ticket of tickets) if (this.#deadlines.delete(ticket)) this.#settle(ticket, { outcome: "read", index });
    }
  }

  /** A tick passed: unconfirmed reads are asked again, late ones given up. */
  tick(): void {
    this.#now += 1;
    for (const [ticket, deadline] of this.#deadlines) {
      if (deadline > this.#now) break;
      this.#deadlines.delete(ticket);
      this.#settle(ticket, { outcome: "unknown", reason: "timeout" });
    }
    if (this.#again.length === 0) return;
    this.#fresh.push(...this.#again.filter((ticket) => this.#deadlines.has(ticket)));
    this.#again = [];
  }
}
