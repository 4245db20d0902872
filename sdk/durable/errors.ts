// What can go wrong between an owner and what it owns.
import { SdkError } from "../base/index.ts";

/** The claim's epoch is older than the current one: somebody took over. `code` is `stale-owner`. Stop writing; rejoin as a newcomer or claim a newer epoch. */
export class StaleOwnerError extends SdkError {
  /** Epoch in force. */
  readonly current: number;
  /** Epoch of the refused claim or write. */
  readonly requested: number;

  constructor(current: number, requested: number) {
    super("stale-owner", `epoch ${requested} is over: epoch ${current} is in force`);
    this.name = "StaleOwnerError";
    this.current = current;
    this.requested = requested;
  }
}

/** Two owners under one epoch. `code` is `split-brain`. The later one must claim a newer epoch. */
export class SplitBrainError extends SdkError {
  readonly currentOwner: string;
  readonly requestedOwner: string;
  readonly epoch: number;

  constructor(currentOwner: string, requestedOwner: string, epoch: number) {
    super("split-brain", `epoch ${epoch} belongs to ${currentOwner}, ${requestedOwner} claimed it too`);
    this.name = "SplitBrainError";
    this.currentOwner = currentOwner;
    this.requestedOwner = requestedOwner;
    this.epoch = epoch;
  }
}

/** The token is not the one that (session, owner, epoch) must have. `code` is `invalid-token`. */
export class InvalidTokenError extends SdkError {
  readonly owner: string;
  readonly epoch: number;

  constructor(owner: string, epoch: number) {
    super("invalid-token", `the token ${owner} showed for epoch ${epoch} is not the expected one`);
    this.name = "InvalidTokenError";
    this.owner = owner;
    this.epoch = epoch;
  }
}

/** A record inside the journal, or the snapshot, does not read back. `code` is `durable-corrupt`; `record` names it. Nothing was changed. */
export class DurableCorruptError extends SdkError {
  readonly record: string;

  constructor(record: string, why: string, options?: { readonly cause?: unknown }) {
    super("durable-corrupt", `${record}: ${why}`, options);
    this.name = "DurableCorruptError";
    this.record = record;
  }
}

/** The operation does not fit the session's lifecycle. `code` is `lifecycle`. Nothing was changed. */
export class LifecycleError extends SdkError {
  constructor(operation: string, lifecycle: string, wanted: string) {
    super("lifecycle", `${operation} needs a session that is ${wanted}, this one is ${lifecycle}`);
    this.name = "LifecycleError";
  }
}
