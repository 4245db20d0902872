// The pure half of a witness's node: a machine behind frames and nothing above it. It stores the log's shape, votes, and lets go of what is committed.
import { concatBytes, digestHex, fromHex, InvalidArgumentError, NO_BYTES, utf8, type LogIndex, type PeerId, type Random } from "../base/index.ts";
import { BLANK_STATE, decodeMessage, encodeMessage, isWitness, Raft, type RaftConfig, type RaftMachine, type StoredState, type TraceEvent, type Work, type WorkOptions, type Write } from "../raft/index.ts";
import { encodeFrame, FRAME_VERSION, headerFault, HEADER_BYTES, messagesOf } from "./frame.ts";

/** What a {@link WitnessCore} is made from. */
export interface WitnessCoreOptions {
  /** A witness's id, used by no other node before. */
  readonly id: PeerId;
  /** The group, as {@link witnessGroupOf} gives it: a witness need not know its name. */
  readonly group: string;
  readonly config: RaftConfig;
  readonly random: Random;
  /** What it stored. Default: nothing yet. */
  readonly restored?: StoredState | undefined;
  /** Hears each step, as a node's trace does. */
  readonly trace?: ((event: TraceEvent) => void) | undefined;
}

/** Everything to do now: send `frames`, start `write`. */
export interface WitnessWork {
  readonly frames: readonly { readonly to: PeerId; readonly bytes: Uint8Array }[];
  readonly write: Write | undefined;
}

/** Committed entries after which the prefix goes: a witness has no state that a prefix could be folded into, so this costs nothing. */
const ENTRIES_KEPT = 256;

/** How a group is named to a witness: 16 hexadecimal digits, the digest that stands in the group's frames. */
export function witnessGroupOf(groupId: string): string {
  return digestHex(utf8(groupId));
}

/** A witness's node. Never throws for what a peer sent. */
export class WitnessCore {
  readonly raft: RaftMachine;
  readonly #header: Uint8Array;
  readonly #dropped: Record<string, number> = {};
  #applied: LogIndex = 0;
  #compacted: LogIndex = 0;

  /** Throws `InvalidArgumentError` for an id that is no witness's or a group that is none, `CorruptStateError` for stored state that can not be right. */
  constructor({ id, group, config, random, restored = BLANK_STATE, trace }: WitnessCoreOptions) {
    if (!isWitness(id)) throw new InvalidArgumentError(`${id} is not a witness's id`);
    this.#header = concatBytes(Uint8Array.of(FRAME_VERSION), fromHex(group));
    if (this.#header.length !== HEADER_BYTES) throw new InvalidArgumentError(`a group is ${2 * (HEADER_BYTES - 1)} hexadecimal digits, got ${group}`);
    this.raft = new Raft({ id, config, random, restored, trace });
    this.#applied = restored.snapshot?.index ?? 0;
    this.#compacted = this.#applied;
  }

  /** How far is committed, as far as this node knows and holds. */
  get appliedIndex(): LogIndex {
    return this.#applied;
  }

  /** Entries held in memory: what it costs. */
  get entriesHeld(): number {
    return this.raft.lastIndex - this.raft.snapshotIndex;
  }

  /** Frames not taken, by reason; messages inside are counted by the machine. */
  get dropped(): Readonly<Record<string, number>> {
    return this.#dropped;
  }

  /** One tick of `config.tickMs` has passed. */
  tick(): void {
    this.raft.tick();
  }

  /** A frame of `from`, who is vouched for by whoever calls. What is none is dropped and counted. */
  receive(from: PeerId, frame: Uint8Array): void {
    const fault = headerFault(this.#header, frame);
    if (fault !== undefined) return this.#drop(fault);
    try {
      for (const bytes of messagesOf(frame)) this.raft.step(from, decodeMessage(bytes));
    } catch {
      this.#drop("malformed");
    }
  }

  /** True when `takeWork` with the same options would give anything. */
  hasWork(options?: WorkOptions): boolean {
    return this.raft.hasWork(options);
  }

  /** What is to be done since the last call. */
  takeWork(options?: WorkOptions): WitnessWork {
    const work = this.raft.takeWork(options);
    this.#applied = work.committed.at(-1)?.index ?? work.install?.index ?? this.#applied;
    if (this.#applied - this.#compacted >= ENTRIES_KEPT) this.compact();
    return { frames: this.#pack(work.messages), write: work.write };
  }

  /** The write of this id is durable; only now may what depends on it leave. */
  writeDone(id: number): void {
    this.raft.writeDone(id);
  }

  /** Lets go of everything committed. False when there is nothing new to let go of. */
  compact(): boolean {
    if (!this.raft.compact(this.#applied, NO_BYTES)) return false;
    this.#compacted = this.#applied;
    return true;
  }

  #pack(messages: Work["messages"]): WitnessWork["frames"] {
    const byPeer = new Map<PeerId, Uint8Array[]>();
    for (const { to, message } of messages) {
      const parts = byPeer.get(to) ?? [];
      parts.push(encodeMessage(message));
      byPeer.set(to, parts);
    }
    return [...byPeer].map(([to, parts]) => ({ to, bytes: encodeFrame(this.#header, parts) }));
  }

  #drop(reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }
}
