// The whole replica engine under test: machine, exactly-once table, lanes and open requests, with frames and disk records as they really are.
import { NO_BYTES, type LogIndex, type PeerId } from "../../base/index.ts";
import { decodeMessage, isWitness, type MembershipTarget, type RaftMachine, type StoredState, type WorkOptions, type Write } from "../../raft/index.ts";
import { createReplicaCore } from "../../replica/core.ts";
import { messagesOf } from "../../replica/frame.ts";
import type { LaneReducer, LogEvent, ReplicaCore, Settlement } from "../../replica/index.ts";
import { emptyLayout, restorePacked, writeToOps } from "../../replica/raft-log-store.ts";
import type { Applied, EngineKind, EngineOptions, EngineWork, Outcome, RecordStore, SimEngine } from "./engine.ts";
import { applyCommand, decodeKv, EMPTY_KV, encodeKv, type KvState } from "./kv.ts";
import { Violation } from "./violation.ts";
import { WitnessEngine } from "./witness-engine.ts";

/** A lane of the simulation's own; none of the SDK's. */
const LANE_KV = 77;

const kvLane: LaneReducer<KvState> = {
  lane: LANE_KV,
  initial: EMPTY_KV,
  apply: (state, { payload }) => applyCommand(state, payload).state,
  encode: encodeKv,
  decode: decodeKv,
};

/** Drives a {@link ReplicaCore}. */
class ReplicaEngine implements SimEngine {
  readonly machine: RaftMachine;
  readonly #core: ReplicaCore;

  constructor({ id, config, random, restored, trace }: EngineOptions) {
    this.#core = createReplicaCore({ id, groupId: "simulation", config, random, restored, lanes: [kvLane], trace });
    this.machine = this.#core.raft;
  }

  get appliedIndex(): LogIndex {
    return this.#core.appliedIndex;
  }

  get kv(): KvState {
    return this.#core.laneState(kvLane);
  }

  tick(): void {
    this.#core.tick();
  }

  observeTime(wallMs: number): void {
    this.#core.observeTime(wallMs);
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    this.#core.receive(from, bytes);
  }

  propose(client: string, serial: number, payload: Uint8Array): number {
    // A client that waits for each answer has settled everything below; a burst keeps its promises to itself.
    const lowestOutstanding = client.startsWith("c") ? serial : 0;
    return this.#core.propose({ lane: LANE_KV, key: { clientId: client, requestId: serial }, payload }, { lowestOutstanding });
  }

  readIndex(): number {
    return this.#core.readIndex();
  }

  changeMembership(target: MembershipTarget): number {
    return this.#core.changeMembership(target);
  }

  transferLeadership(to: PeerId): number {
    return this.#core.transferLeadership(to);
  }

  compact(): boolean {
    return this.#core.snapshot(this.#core.appliedIndex, NO_BYTES);
  }

  part(): void {
    this.#core.part();
  }

  hasWork(options?: WorkOptions): boolean {
    return this.#core.hasWork(options);
  }

  takeWork(options?: WorkOptions): EngineWork {
    const { frames, write, events, settled } = this.#core.takeWork(options);
    if (this.#core.failure !== undefined) throw this.#core.failure;
    return {
      frames: frames.map(({ to, bytes }) => ({ to, bytes, messages: messagesOf(bytes).map(decodeMessage) })),
      write,
      applied: events.map(appliedOf),
      settled: settled.map(({ ticket, settlement }) => ({ ticket, outcome: outcomeOf(settlement) })),
    };
  }

  writeDone(id: number): void {
    this.#core.writeDone(id);
  }
}

function appliedOf(event: LogEvent): Applied {
  if (event.type === "install") return { type: "install", index: event.index };
  const { index, key, payload, duplicate, time, proposer } = event;
  return { type: "command", index, client: key.clientId, serial: key.requestId, payload, duplicate, time, proposer };
}

function outcomeOf(settlement: Settlement): Outcome {
  switch (settlement.outcome) {
    case "committed":
    case "read":
      return settlement;
    case "done":
      return { outcome: "done" };
    case "refused":
      return { outcome: "refused", reason: settlement.reason };
    case "unknown":
      return { outcome: "unknown" };
    case "collision":
      throw new Violation("C3", `a key collided at ${settlement.index}, although every client id has one writer`);
  }
}

/** The records of one node as its ByteStore would hold them. */
class Records implements RecordStore {
  readonly #layout = emptyLayout();
  readonly #records = new Map<string, Uint8Array>();

  apply(write: Write): void {
    for (const op of writeToOps(write, this.#layout)) {
      if (op.type === "put") this.#records.set(op.key, op.value);
      else if (op.type === "delete") this.#records.delete(op.key);
      else if (op.type === "delete-range") {
        for (const key of this.#records.keys()) if (key >= op.from && key < op.to) this.#records.delete(key);
      }
    }
  }

  restore(): StoredState {
    const records = [...this.#records].sort(([a], [b]) => (a < b ? -1 : 1));
    return restorePacked(records).restored;
  }
}

/** The whole replica engine. */
export const replicaEngine: EngineKind = {
  name: "replica",
  start: (options) => (isWitness(options.id) ? new WitnessEngine(options) : new ReplicaEngine(options)),
  records: () => new Records(),
};
