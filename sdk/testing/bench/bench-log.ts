// An OrderedLog that costs next to nothing, so that what is measured is the game layer above it.
import { peerId, type LogIndex, type PeerId } from "../../base/index.ts";
import type { CommittedAt, CommittedCommand, DedupKey, LogEvent, OrderedLog, ProposeOptions } from "../../replica/index.ts";

/** Commits what was proposed when told to, and whatever others are said to have proposed. Keeps no history: one follower, from the start. */
export class BenchLog implements OrderedLog {
  readonly id: PeerId = peerId("own");
  readonly clientId = "own";
  lastRequestId = 0;
  appliedIndex: LogIndex = 0;
  #listener: ((event: LogEvent) => void) | undefined;
  #open: { readonly payload: Uint8Array; readonly key: DedupKey; readonly resolve: (at: CommittedAt) => void }[] = [];
  #foreign = 0;

  propose(payload: Uint8Array, _options?: ProposeOptions): Promise<CommittedAt> {
    this.lastRequestId += 1;
    const key = { clientId: this.clientId, requestId: this.lastRequestId };
    return new Promise((resolve) => this.#open.push({ payload, key, resolve }));
  }

  /** Commits everything that is open, in order. */
  commit(): void {
    for (const { payload, key, resolve } of this.#open.splice(0)) resolve({ index: this.#deliver(payload, key, this.id), key });
  }

  /** Commits another peer's command. */
  foreign(payload: Uint8Array): void {
    this.#foreign += 1;
    this.#deliver(payload, { clientId: "other", requestId: this.#foreign }, peerId("other"));
  }

  follow(listener: (event: LogEvent) => void): () => void {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  }

  withdraw(): boolean {
    return false;
  }

  readIndex(): Promise<LogIndex> {
    return Promise.resolve(this.appliedIndex);
  }

  committed(): AsyncIterable<LogEvent> {
    throw new Error("nobody reads a bench log this way");
  }

  snapshot(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #deliver(payload: Uint8Array, key: DedupKey, proposer: PeerId): LogIndex {
    this.appliedIndex += 1;
    const event: CommittedCommand = { type: "command", index: this.appliedIndex, lane: 1, key, proposer, payload, time: 1_700_000_000_000 + this.appliedIndex, duplicate: false };
    this.#listener?.(event);
    return this.appliedIndex;
  }
}
