// Opens a node: reads what is stored, founds a group where that is asked for, and starts the loop.
import { createNanoEvents } from "nanoevents";
import { InvalidArgumentError, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { bootstrapState, raftConfig, type RaftConfig, type RestoredState } from "../raft/index.ts";
import { MemoryByteStore, type ByteStore } from "../storage/index.ts";
import { createReplicaCore } from "./core.ts";
import { isClientId } from "./envelope.ts";
import type { LaneReducer } from "./lane.ts";
import type { NodeChannel } from "./node-channel.ts";
import { claimStorage } from "./node-records.ts";
import { RAFT_RECORDS, restoreFrom, writeToOps, type LogLayout } from "./raft-log-store.ts";
import type { RaftNode, RaftNodeEvents } from "./raft-node.ts";
import { RunningNode } from "./running-node.ts";
import { Ticker } from "./ticker.ts";
import { WriterIdentity } from "./writer-identity.ts";

/** How a node is opened. */
export interface ReplicaOptions {
  /** The channel the group's frames travel on. Its `selfId` is the node's id. Not closed with the node. */
  readonly seam: NodeChannel;
  /** Names the group: frames of others are dropped. 1 to 64 characters. */
  readonly groupId: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds since 1970; stamped on entries while this node leads. */
  readonly wallClock: () => number;
  /** The founding voters, this node among them, when the group is to begin here and now; every founder gives the same. Left out by whoever joins. Not looked at when the storage holds a log already. */
  readonly voters?: readonly PeerId[] | undefined;
  /** Where the log lives. Default: memory, which must never be followed by a restart under the same id. Not closed with the node. */
  readonly storage?: ByteStore | undefined;
  /** Missing values come from the `browser` preset. All members should use the same. */
  readonly config?: Partial<RaftConfig> | undefined;
  /** A durable writer's id, exactly once across restarts on the same storage. Default: a new one each time, at least once across restarts. */
  readonly clientId?: string | undefined;
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  readonly logger?: Logger | undefined;
  /** False: `tick` is called by the one who opened it. Default true. */
  readonly autoTick?: boolean | undefined;
}

/** A node opened by {@link openReplica}: a RaftNode, its lanes, and a way to tick it by hand. */
export interface Replica extends RaftNode {
  /** State of a registered lane after `appliedIndex`. */
  laneState<S>(lane: LaneReducer<S>): S;
  /** With `autoTick: false`: one tick of `config.tickMs` passed. */
  tick(): void;
}

/** What a message adds around the largest thing in it, bytes. */
const MESSAGE_OVERHEAD_BYTES = 4096;

/**
 * Opens a node on this storage and starts it. Rejects with `CorruptStateError` when what is stored can not be believed, `InvalidArgumentError`
 * for options that can not work or storage of another node, and the storage's own errors. After a failure nothing is left running.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { seam, storage = new MemoryByteStore(), logger = silentLogger, clock } = options;
  const config = raftConfig(options.config);
  const id = seam.selfId;
  checkSizes(config, seam.payloadBytesMax);
  if (options.clientId !== undefined && !isClientId(options.clientId)) throw new InvalidArgumentError(`a client id has 1 to 64 characters, got ${JSON.stringify(options.clientId)}`);
  const { restored, layout } = await readState(options, storage);
  const writer = options.clientId === undefined ? WriterIdentity.auto(options.random) : await WriterIdentity.durable(options.clientId, storage);
  const events = createNanoEvents<RaftNodeEvents>();
  const core = createReplicaCore({
    id, groupId: options.groupId, config, random: options.random, restored, lanes: options.lanes,
    frameBytesMax: Math.min(seam.payloadBytesMax, 64 * 1024),
    // Whether anybody listens is known only later; an event nobody hears costs one call.
    trace: (event) => events.emit("trace", event),
  });
  const node = new RunningNode({ core, seam, storage, layout, config, writer, logger, wallClock: options.wallClock, events });
  if (options.autoTick !== false) {
    const ticker = new Ticker({ clock, tickMs: config.tickMs, awayMs: config.electionTimeoutMsMin, tick: () => node.tick() });
    node.onStop(() => ticker.stop());
  }
  return node;
}

async function readState(options: ReplicaOptions, storage: ByteStore): Promise<{ readonly restored: RestoredState; readonly layout: LogLayout }> {
  const { seam: { selfId: id }, groupId, voters = [] } = options;
  const claim = await claimStorage(storage, { id, groupId });
  const found = restoreFrom(await storage.readRange(RAFT_RECORDS.from, RAFT_RECORDS.to));
  const isBlank = found.restored.hardState.term === 0 && found.layout.next === 1;
  if (!isBlank || voters.length === 0) {
    if (claim.length > 0) await storage.write(claim);
    return found;
  }
  const restored = bootstrapState(id, voters);
  // Founding and claiming are one batch: a tab that dies here has founded nothing.
  const ops = writeToOps({ id: 0, hardState: restored.hardState, truncateAfter: undefined, entries: restored.entries, snapshot: undefined }, found.layout);
  await storage.write([...claim, ...ops]);
  return { restored, layout: found.layout };
}

function checkSizes(config: RaftConfig, payloadBytesMax: number): void {
  for (const name of ["commandBytesMax", "batchBytesMax", "snapshotChunkBytes"] as const) {
    if (config[name] + MESSAGE_OVERHEAD_BYTES > payloadBytesMax) throw new InvalidArgumentError(`RaftConfig.${name} (${config[name]}) must be at least ${MESSAGE_OVERHEAD_BYTES} less than the seam's payloadBytesMax (${payloadBytesMax})`);
  }
}
