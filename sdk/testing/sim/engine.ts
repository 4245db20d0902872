// What the simulator asks of the thing it judges: a deterministic node, driven by calls, whose output is one list of work.
// Two adapters exist: the Raft machine alone, and the whole replica engine.
import type { LogIndex, PeerId, Random } from "../../base/index.ts";
import type { MembershipTarget, Message, RaftConfig, RaftMachine, StoredState, TraceEvent, WorkOptions, Write } from "../../raft/index.ts";
import type { KvState } from "./kv.ts";

/** A frame leaving a node, with what it says. The wire carries only `bytes`; the messages are for the observer. */
export interface SentFrame {
  readonly to: PeerId;
  readonly bytes: Uint8Array;
  readonly messages: readonly Message[];
}

/** What a node handed to the layers above it, in order. */
export type Applied =
  | { readonly type: "command"; readonly index: LogIndex; readonly client: string; readonly serial: number; readonly payload: Uint8Array; readonly duplicate: boolean; readonly time: number; readonly proposer: string }
  | { readonly type: "install"; readonly index: LogIndex };

/** How a request ended; `unknown` may still happen. */
export type Outcome =
  | { readonly outcome: "committed"; readonly index: LogIndex }
  | { readonly outcome: "read"; readonly index: LogIndex }
  | { readonly outcome: "done" }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "unknown" };

/** Everything a node wants done now. */
export interface EngineWork {
  readonly frames: readonly SentFrame[];
  readonly write: Write | undefined;
  readonly applied: readonly Applied[];
  readonly settled: readonly { readonly ticket: number; readonly outcome: Outcome }[];
}

/** One running node under test. Nothing in here may throw for remote input. */
export interface SimEngine {
  readonly machine: RaftMachine;
  readonly appliedIndex: LogIndex;
  readonly kv: KvState;
  tick(): void;
  observeTime(wallMs: number): void;
  receive(from: PeerId, bytes: Uint8Array): void;
  /** Ticket of a write under a client's serial. */
  propose(client: string, serial: number, payload: Uint8Array): number;
  readIndex(): number;
  changeMembership(target: MembershipTarget): number;
  transferLeadership(to: PeerId): number;
  /** Makes a snapshot of everything applied. */
  compact(): boolean;
  part(): void;
  hasWork(options?: WorkOptions): boolean;
  takeWork(options?: WorkOptions): EngineWork;
  writeDone(id: number): void;
}

/** How a node is made. */
export interface EngineOptions {
  readonly id: PeerId;
  readonly config: RaftConfig;
  readonly random: Random;
  /** What the disk gave back. */
  readonly restored: StoredState;
  readonly trace?: ((event: TraceEvent) => void) | undefined;
}

/** How an engine lays its writes out on a disk; the simulator keeps one per disk beside its own image and compares the two at every restart. */
export interface RecordStore {
  /** Makes one durable write part of the records. */
  apply(write: Write): void;
  /** Reads everything back. */
  restore(): StoredState;
}

/** A kind of engine: the machine alone, or with everything above it. */
export interface EngineKind {
  readonly name: string;
  start(options: EngineOptions): SimEngine;
  /** An empty disk's records; absent where the engine has no layout of its own. */
  readonly records?: (() => RecordStore) | undefined;
}
