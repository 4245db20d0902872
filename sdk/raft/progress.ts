// What the leader believes of one member: how far its log matches, what is under way, and in which of three ways it is fed.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { Snapshot } from "./types.ts";
import { isWitness } from "./witness.ts";

/**
 * - `probe`: the match is unknown; one append at a time until an answer.
 * - `replicate`: appends are pipelined up to the in-flight limit.
 * - `snapshot`: what it needs is compacted; chunks are sent until it acknowledges an index at or after the snapshot.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** A snapshot on its way to one member. */
export interface SnapshotTransfer {
  readonly snapshot: Snapshot;
  readonly digest: Uint8Array;
  /** Bytes the member said it holds. */
  held: number;
  /** Bytes sent. */
  sent: number;
  /** The offset of its latest answer, also when lower than `held`: it may have restarted. */
  answered: number;
}

/** The leader's view of one member. Plain state: replication.ts decides. */
export class Progress {
  readonly id: PeerId;
  readonly isWitness: boolean;
  state: ProgressState = "probe";
  /** Highest index known to be durable there and equal to the leader's. Never falls within a term. */
  match: LogIndex = 0;
  /** Next index to send; always greater than `match`. */
  next: LogIndex;
  /** A probe is under way: nothing more until an answer or a heartbeat's answer. */
  probeSent = false;
  /** Last index of the probe's entries; when it is acknowledged in part, the rest is on its disk soon and need not travel again. */
  probeEnd: LogIndex = 0;
  /** What they take. */
  probeBytes = 0;
  /** Something came from it since the last quorum check. */
  active = false;
  /** Highest heartbeat round of this term it echoed. */
  round = 0;
  /** The commit index it was last told. */
  commitSent: LogIndex = 0;
  /** An acknowledgement came since the last heartbeat answer; if none did, something may be lost. */
  moved = false;
  /** Send one append even if it is empty and the window is full: the answer tells what was lost. */
  nudge = false;
  /** It takes what it is sent as fast as heartbeats follow each other: a witness waits for it (RF136). */
  keepsUp = true;
  #matchAtBeat: LogIndex = 0;
  #lastAtBeat: LogIndex = 0;
  transfer: SnapshotTransfer | undefined;
  /** Bytes of the entries of all appends under way. */
  inflightBytes = 0;
  /** Last indexes of the appends under way, oldest first, as a ring; beside them what each one's entries take. */
  readonly #inflight: LogIndex[] = [];
  readonly #inflightSizes: number[] = [];
  #inflightStart = 0;

  constructor(id: PeerId, next: LogIndex) {
    this.id = id;
    this.isWitness = isWitness(id);
    this.next = next;
  }

  get inflight(): number {
    return this.#inflight.length - this.#inflightStart;
  }

  addInflight(last: LogIndex, bytes: number): void {
    this.#inflight.push(last);
    this.#inflightSizes.push(bytes);
    this.inflightBytes += bytes;
  }

  /** Appends that end at or before `index` have arrived. */
  freeThrough(index: LogIndex): void {
    const list = this.#inflight;
    while (this.#inflightStart < list.length && (list[this.#inflightStart] ?? 0) <= index) {
      this.inflightBytes -= this.#inflightSizes[this.#inflightStart] ?? 0;
      this.#inflightStart += 1;
    }
    if (this.#inflightStart === list.length) this.#clearInflight();
    else if (this.#inflightStart > 64) {
      list.splice(0, this.#inflightStart);
      this.#inflightSizes.splice(0, this.#inflightStart);
      this.#inflightStart = 0;
    }
  }

  #clearInflight(): void {
    this.#inflight.length = 0;
    this.#inflightSizes.length = 0;
    this.#inflightStart = 0;
    this.inflightBytes = 0;
  }

  /** A heartbeat interval ended with the log at `last`: whoever was owed something since the one before and took nothing does not keep up. */
  noteBeat(last: LogIndex): void {
    this.keepsUp = this.match >= this.#lastAtBeat || this.match > this.#matchAtBeat;
    this.#matchAtBeat = this.match;
    this.#lastAtBeat = last;
  }

  toProbe(next: LogIndex): void {
    this.#enter("probe", Math.max(next, this.match + 1));
  }

  toReplicate(): void {
    const { probeEnd, probeBytes } = this;
    this.#enter("replicate", Math.max(this.match, probeEnd) + 1);
    if (probeEnd > this.match) this.addInflight(probeEnd, probeBytes);
  }

  toSnapshot(transfer: SnapshotTransfer): void {
    this.#enter("snapshot", transfer.snapshot.index + 1);
    this.transfer = transfer;
  }

  #enter(state: ProgressState, next: LogIndex): void {
    this.state = state;
    this.next = next;
    this.probeSent = false;
    this.probeEnd = 0;
    this.probeBytes = 0;
    this.nudge = false;
    this.transfer = undefined;
    this.#clearInflight();
  }

  /** Takes an acknowledgement in; false when it says nothing new. */
  acknowledge(index: LogIndex): boolean {
    this.moved = true;
    this.freeThrough(index);
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    return true;
  }
}
