// Opens a node: reads what is stored, founds a group where that is asked for, and starts the loop.
import { createNanoEvents } from "nanoevents";
import { InvalidArgumentError, LoggedClock, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { BLANK_STATE, bootstrapState, CorruptStateError, raftConfig, type RaftConfig, type StoredState } from "../raft/index.ts";
import { MemoryByteStore, type ByteStore, type ByteStoreOp } from "../storage/index.ts";
import { createReplicaCore } from "./core.ts";
import { isClientId } from "./envelope.ts";
import type { FeedRules } from "./feeding.ts";
import type { LaneReducer } from "./lane.ts";
import { foundFrom } from "./log-export.ts";
import type { NodeChannel } from "./node-channel.ts";
import { claimStorage, readClientRecord, readWriterId, writerOps } from "./node-records.ts";
import { EMPTY_OUTBOX, OUTBOX_RECORDS, readOutbox, type FoundOutbox } from "./outbox.ts";
import { RAFT_RECORDS, restorePacked, writeToOps, type LogLayout } from "./raft-log-store.ts";
import type { RaftNode, RaftNodeEvents } from "./raft-node.ts";
import { RunningNode } from "./running-node.ts";
import { Ticker } from "./ticker.ts";
import { newClientId, WriterIdentity } from "./writer-identity.ts";

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
  /**
   * A file made by `exportLog`: the group founded by `voters` begins with the state and commands in it, under a `groupId` other than theirs; every
   * founder gives the same file. Its commands keep their indexes, times, proposers and keys, so a `clientId` of your own must be a new one. Refused
   * with `InvalidArgumentError` where there are no `voters` or the storage holds a log already, with `CorruptStateError` when the file is damaged.
   */
  readonly founding?: Uint8Array | undefined;
  /** Where the log lives. Default: memory, which must never be followed by a restart under the same id. Not closed with the node. */
  readonly storage?: ByteStore | undefined;
  /**
   * Opens the same storage once more, for when its connection is lost (Safari loses it in the background): then the node acknowledges nothing, reads
   * again what is there, goes on when everything it promised is there, and stops with `CorruptStateError` when not. Left out: a lost connection
   * stops the node. What this opens is closed with the node.
   */
  readonly reopenStorage?: (() => Promise<ByteStore>) | undefined;
  /** Missing values come from the `browser` preset. All members should use the same. */
  readonly config?: Partial<RaftConfig> | undefined;
  /**
   * `durable`: commands are exactly once across restarts on this storage, which keeps the client id and an outbox of what is in flight; see
   * {@link Replica.resumed}. `auto`: a new client id each time, at least once across a restart. Default: `durable` when there is a `clientId`, else `auto`.
   */
  readonly identity?: "auto" | "durable" | undefined;
  /** A durable writer's id chosen by the caller, unlike any other writer's in the group. Default: one made up (and kept, when `durable`). */
  readonly clientId?: string | undefined;
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  /** The channel on which members and those who are fed feed others, and the rules for it; see `RaftNode.feedFrom`. Default: neither. Not closed with the node. */
  readonly feed?: (Omit<FeedRules, "peers"> & { readonly channel: NodeChannel }) | undefined;
  readonly logger?: Logger | undefined;
  /** False: `tick` is called by the one who opened it. Default true. */
  readonly autoTick?: boolean | undefined;
}

/** A node opened by {@link openReplica}: a RaftNode, its lanes, and a way to tick it by hand. */
export interface Replica extends RaftNode {
  /** Outbox records that could not be read, each named; what they held is lost, and was never acknowledged. */
  readonly outboxDamage: readonly CorruptStateError[];
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
  const stored = await readStored(storage);
  const { writer, outbox, claims } = await readWriter(options, stored, config);
  for (const error of outbox.damaged) logger.error("a record of the outbox is lost", error);
  const { restored, layout } = await readState(options, stored, { storage, claims, snapshotBytesMax: config.snapshotTotalBytesMax });
  const events = createNanoEvents<RaftNodeEvents>();
  const { feed } = options;
  const core = createReplicaCore({
    id, groupId: options.groupId, config, random: options.random, restored, lanes: options.lanes,
    frameBytesMax: Math.min(seam.payloadBytesMax, 64 * 1024),
    feed: feed && { ...feed, peers: () => feed.channel.peers },
  });
  const node = new RunningNode({
    core, seam, feed: feed?.channel, storage, reopenStorage: options.reopenStorage, owner: { id, groupId: options.groupId }, layout, config, writer, logger, time: new LoggedClock({ clock, wallClock: options.wallClock }), events, outbox,
  });
  if (options.autoTick !== false) {
    const ticker = new Ticker({ clock, tickMs: config.tickMs, awayMs: config.electionTimeoutMsMin, tick: () => node.tick() });
    node.onStop(() => ticker.stop());
  }
  return node;
}

type Records = Awaited<ReturnType<ByteStore["readRange"]>>;

/** Everything of a node that lies in its storage. */
interface Stored extends Pick<ByteStore, "read"> {
  /** Those of a range, in key order. */
  within(range: { readonly from: string; readonly to: string }): Records;
}

/** The lowest and the end of the names of a node's records: `outbox/…`, `raft/…`, `replica/…`. */
const FIRST_RECORD = OUTBOX_RECORDS.from;
const END_OF_RECORDS = "replica0";

/** In one reading: one way to the disk after the other takes longer than reading a long log. */
async function readStored(storage: ByteStore): Promise<Stored> {
  const records = await storage.readRange(FIRST_RECORD, END_OF_RECORDS);
  return {
    within: ({ from, to }) => records.slice(placeOf(records, from), placeOf(records, to)),
    read: async (wanted) => {
      const [key, value] = records[placeOf(records, wanted)] ?? [];
      return key === wanted ? value : undefined;
    },
  };
}

/** How many of the records, which are in key order, come before `wanted`. */
function placeOf(records: Records, wanted: string): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.[0] ?? "") < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Who writes, what is left of its earlier incarnations, and what makes the storage its own. */
async function readWriter(options: ReplicaOptions, stored: Stored, config: RaftConfig): Promise<{ readonly writer: WriterIdentity; readonly outbox: FoundOutbox; readonly claims: readonly ByteStoreOp[] }> {
  const { identity, clientId: chosen, random } = options;
  if (identity === "auto" && chosen !== undefined) throw new InvalidArgumentError("a writer that goes by a clientId of the caller's is durable, not auto");
  if (identity !== "durable" && chosen === undefined) return { writer: WriterIdentity.auto(random), outbox: EMPTY_OUTBOX, claims: [] };
  const kept = chosen === undefined ? await readWriterId(stored) : undefined;
  const clientId = chosen ?? kept ?? newClientId(random);
  const outbox = readOutbox(stored.within(OUTBOX_RECORDS), clientId);
  const record = await readClientRecord(stored, clientId, kept !== undefined || outbox.records.size > 0);
  const claims = chosen === undefined && kept === undefined ? writerOps(clientId) : [];
  return { writer: WriterIdentity.durable(clientId, config.uncommittedBytesMax, { record, outbox }), outbox, claims };
}

async function readState(options: ReplicaOptions, stored: Stored, { storage, claims, snapshotBytesMax }: { readonly storage: ByteStore; readonly claims: readonly ByteStoreOp[]; readonly snapshotBytesMax: number }): Promise<{ readonly restored: StoredState; readonly layout: LogLayout }> {
  const { seam: { selfId: id }, groupId, voters = [] } = options;
  const claiming = await claimStorage(stored, { id, groupId });
  const found = restorePacked(stored.within(RAFT_RECORDS));
  // Whose storage it is and what it promised are written together; one without the other has lost something, and nobody knows what.
  if (claiming.length > 0 && found.layout.batch > 0) throw new CorruptStateError("replica/node", "it is missing beside a log");
  if (claiming.length === 0 && found.layout.batch === 0) throw new CorruptStateError("raft/hard", "it is missing on a storage that was used");
  const claim = [...claiming, ...claims];
  const isBlank = found.restored.hardState.term === 0 && found.layout.next === 1;
  if (options.founding !== undefined && (!isBlank || voters.length === 0)) throw new InvalidArgumentError(isBlank ? "founding from a file needs the founding voters" : "this storage holds a log already, nothing can be founded on it");
  if (!isBlank || voters.length === 0) {
    if (claiming.length > 0) claim.push(...writeToOps({ id: 0, hardState: BLANK_STATE.hardState, truncateAfter: undefined, entries: [], snapshot: undefined }, found.layout));
    if (claim.length > 0) await storage.write(claim);
    return found;
  }
  const restored = options.founding === undefined ? bootstrapState(id, voters) : foundFrom(options.founding, { id, groupId, voters, snapshotBytesMax });
  // Founding and claiming are one batch: a tab that dies here has founded nothing.
  const ops = writeToOps({ id: 0, hardState: restored.hardState, truncateAfter: undefined, entries: restored.entries, snapshot: restored.snapshot }, found.layout);
  await storage.write([...claim, ...ops]);
  return { restored, layout: found.layout };
}

function checkSizes(config: RaftConfig, payloadBytesMax: number): void {
  for (const name of ["commandBytesMax", "batchBytesMax", "snapshotChunkBytes"] as const) {
    if (config[name] + MESSAGE_OVERHEAD_BYTES > payloadBytesMax) throw new InvalidArgumentError(`RaftConfig.${name} (${config[name]}) must be at least ${MESSAGE_OVERHEAD_BYTES} less than the seam's payloadBytesMax (${payloadBytesMax})`);
  }
}
