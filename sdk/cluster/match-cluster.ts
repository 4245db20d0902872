// Shards of a match: owned by the peers at the table as the match's log says, called over their mesh, and kept in the log where it matters.
import { createNanoEvents } from "nanoevents";
import { hasCode, InvalidArgumentError, silentLogger, type Clock, type Logger, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";
import { Assigner, type Candidate } from "./assigner.ts";
import { ClusterFollower, type ClusterLog } from "./cluster-follower.ts";
import { checkClusterShards } from "./cluster-command.ts";
import { changedShards, EMPTY_CLUSTER_TABLE, shardRecord, type ClusterTable } from "./cluster-table.ts";
import { ClusterNode } from "./cluster-node.ts";
import { getHeader, setHeader, type Envelope } from "./envelope.ts";
import { HandlerFailedError, ShardMovedError } from "./errors.ts";
import type { ClusterMetrics } from "./metrics.ts";
import { SeamTransport } from "./seam-transport.ts";
import { ServingPeers, type ShardSetup } from "./serving-peers.ts";
import { ShardClient } from "./shard-client.ts";
import { ShardKeeper, type KeptShard, type OwnedShard } from "./shard-keeper.ts";
import type { CallOptions, Transport, TransportLimits } from "./transport.ts";

/** Carries the epoch under which the caller knows the shard. */
export const EPOCH_HEADER = "x-clstr-epoch";

/** Serves a shard this peer owns. What it answers is JSON for `ShardClient`; it should be done when `signal` fires. */
export type OwnedShardHandler = (envelope: Envelope, signal: AbortSignal, shard: OwnedShard) => Promise<Uint8Array | undefined>;

/** How the shards of a match are set up: the same `shards` and `seed` in every tab. */
export interface MatchClusterOptions extends TransportLimits {
  /** How many shards, 1 to 16,384. */
  readonly shards: number;
  /** Changes which keys fall together, and who gets what. Default none. */
  readonly seed?: string | undefined;
  readonly handler: OwnedShardHandler;
  /** Called when this tab becomes the owner of a shard, before its first call: start simulating here, and stop when `shard.lost` fires. */
  readonly onOwned?: ((shard: OwnedShard) => void) | undefined;
  /**
   * What the next owner starts with, where this tab lives to hand a shard over, and no call of the shard runs any more: written into the log together with
   * the change of owner. Default, and where a tab is gone without a word: what was saved last.
   */
  readonly handOver?: ((shard: OwnedShard) => Uint8Array | undefined) | undefined;
  readonly metrics?: ClusterMetrics | undefined;
}

/** What a cluster tells its listeners. */
export interface MatchClusterEvents {
  /** Owners changed, or what shards confirmed: the shards concerned. */
  change: (shards: readonly number[]) => void;
}

/** The shards of a match, as one tab sees them. */
export interface MatchCluster {
  /** Calls shards by key or number, wherever they are; a call that meets no owner, or one that is not it any more, is made again for about 14 s. */
  readonly client: ShardClient;
  /** Serves what this tab owns. */
  readonly node: ClusterNode;
  /** Resolves once shards are assigned as far as this tab knows. Rejects with `InvalidArgumentError` when the match runs with another number or seed. */
  readonly ready: Promise<void>;
  /** Shards this tab owns, ascending. */
  readonly owned: readonly OwnedShard[];
  /** Who owns a shard, since which entry of the log; undefined while nobody does as far as this tab knows. */
  ownerOf(shard: number): { readonly peer: PeerId; readonly epoch: number } | undefined;
  /** What a shard last confirmed, as far as this tab knows: no call needed. Not to be changed. */
  stateOf(shard: number): Uint8Array | undefined;
  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof MatchClusterEvents>(event: K, listener: MatchClusterEvents[K]): () => void;
}

/** What a cluster needs of the group it lives in: one session of a match. */
export interface ClusterGround {
  readonly log: ClusterLog;
  readonly isLeading: boolean;
  /** This peer believes that a majority is reachable. */
  readonly hasQuorum: boolean;
  /** How long after it lost the majority this peer may still take itself for an owner, ms: shorter than others take to count it as gone. */
  readonly letGoAfterMs: number;
  /** The peers that hold a seat and are not gone. */
  seated(): readonly Omit<Candidate, "serves">[];
  /** Calls `listener` after anything of the above may have changed; returns the function that stops it. */
  onChange(listener: () => void): () => void;
}

/** What a cluster in a match is made of. */
export interface LogClusterParts {
  readonly selfId: PeerId;
  readonly options: MatchClusterOptions;
  /** Carries calls; used by nothing else. */
  readonly calls: Seam;
  /** Carries who serves shards; used by nothing else. */
  readonly nodes: Seam;
  readonly clock: Clock;
  /** Milliseconds since 1970, for the deadlines that travel with calls. */
  readonly wallClock: () => number;
  readonly logger?: Logger | undefined;
}

/** How often a call is made again, and the longest pause between: longer together than it takes to notice that a tab is gone. */
const MOVED_RETRIES = 30;
const MOVED_BACKOFF_MS_MAX = 500;

/** One stay on one ground. */
interface Stay {
  readonly ground: ClusterGround;
  readonly follower: ClusterFollower;
  readonly keeper: ShardKeeper;
  readonly assigner: Assigner;
  readonly off: () => void;
  /** Everything committed when it was last out of touch is applied here: it knows whether it owns what it thinks it owns. */
  isSure: boolean;
  isAsking: boolean;
  /** Stops the clock that runs while it is out of touch. */
  stopClock: (() => void) | undefined;
}

/** The cluster behind `match.cluster`. It outlives the sessions of its match: `settle` on one, `uproot` before the next. */
export class LogCluster implements MatchCluster {
  readonly client: ShardClient;
  readonly node: ClusterNode;
  readonly ready: Promise<void>;
  readonly #parts: LogClusterParts;
  readonly #transport: SeamTransport;
  readonly #serving: ServingPeers;
  readonly #events = createNanoEvents<MatchClusterEvents>();
  readonly #stopping = new AbortController();
  readonly #seed: string;
  #isReady: () => void = () => {};
  #isRefused: (error: Error) => void = () => {};
  #mismatch = false;
  #stay: Stay | undefined;
  #table: ClusterTable = EMPTY_CLUSTER_TABLE;

  constructor(parts: LogClusterParts) {
    const { selfId, options, calls, nodes, clock, wallClock } = parts;
    const { shards, seed = "", metrics } = options;
    checkClusterShards(shards, seed);
    this.#parts = parts;
    this.#seed = seed;
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isRefused = reject;
    });
    // Who does not ask is not to be told as of an unhandled rejection.
    this.ready.catch(() => {});
    this.#transport = new SeamTransport({ ...options, seam: calls, clock, wallClock, ownerOf: (shard) => this.ownerOf(shard)?.peer });
    this.node = new ClusterNode({ nodeId: selfId, transport: this.#transport, shards: [], handler: (envelope, signal) => this.#handle(envelope, signal), metrics, clock });
    this.client = new ShardClient({ transport: this.#routed(), numShards: shards, seed, metrics, clock, wallClock, movedRetries: MOVED_RETRIES, movedBackoffMsMax: MOVED_BACKOFF_MS_MAX });
    this.#serving = new ServingPeers({ channel: nodes, clock, setup: { numShards: shards, seed }, changed: () => this.#look() });
    void this.node.run(this.#stopping.signal).catch((error: unknown) => parts.logger?.error("shards are not served", error));
  }

  get owned(): readonly OwnedShard[] {
    return this.#stay?.keeper.owned ?? [];
  }

  ownerOf(shard: number): { readonly peer: PeerId; readonly epoch: number } | undefined {
    const record = shardRecord(this.#table, shard);
    return this.#stay === undefined || record?.owner === undefined ? undefined : { peer: record.owner as PeerId, epoch: record.epoch };
  }

  stateOf(shard: number): Uint8Array | undefined {
    return shardRecord(this.#table, shard)?.state;
  }

  on<K extends keyof MatchClusterEvents>(event: K, listener: MatchClusterEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  /** Takes part on this ground until `uproot`. */
  settle(ground: ClusterGround): void {
    const { selfId, options, clock, logger = silentLogger } = this.#parts;
    this.#table = EMPTY_CLUSTER_TABLE;
    const pause = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
    const { handOver, onOwned } = options;
    const table = (): ClusterTable => this.#table;
    let follower: ClusterFollower | undefined;
    const keeper = new ShardKeeper({
      selfId, clock, logger, table, handOver, onOwned,
      write: async (writes) => (await follower?.write(writes)) ?? [],
      changed: () => this.#serve(),
    });
    const candidates = (): readonly Candidate[] | undefined => this.#candidates(ground);
    const assigner = new Assigner({ setup: () => this.#setup(), clock, logger, table, candidates, assign: async (command) => follower?.assign(command) });
    // The whole log is told at once, and shards are taken only as they are owned at its end.
    let isTold = false;
    follower = new ClusterFollower({ log: ground.log, selfId, pause, changed: (after, before) => isTold && this.#changed(keeper, after, before) });
    isTold = true;
    this.#stay = { ground, follower, keeper, assigner, off: ground.onChange(() => this.#look()), isSure: false, isAsking: false, stopClock: undefined };
    this.#changed(keeper, follower.table, EMPTY_CLUSTER_TABLE);
    this.#look();
  }

  /** Owns nothing any more, in this very task. */
  uproot(reason: Error): void {
    const stay = this.#stay;
    if (stay === undefined) return;
    stay.off();
    stay.stopClock?.();
    stay.follower.stop();
    stay.assigner.stop();
    stay.keeper.stop(reason);
    this.#stay = undefined;
  }

  /** Ends everything in this very task; handlers that still run are nobody's any more, and nobody waits for them. Idempotent. */
  close(reason: Error): void {
    this.uproot(reason);
    this.#isRefused(reason);
    this.#serving.stop();
    this.#stopping.abort(reason);
    void this.#transport.close();
    this.#events.events = {};
  }

  #changed(keeper: ShardKeeper, after: ClusterTable, before: ClusterTable): void {
    this.#table = after;
    if (after.numShards === 0) return;
    if (after.numShards !== this.#parts.options.shards || after.seed !== this.#seed) {
      this.#mismatch = true;
      this.#look();
      this.#isRefused(new InvalidArgumentError(`this match has ${after.numShards} shards (seed ${JSON.stringify(after.seed)}), ${this.#parts.options.shards} (seed ${JSON.stringify(this.#seed)}) were asked for`));
      return;
    }
    this.#isReady();
    keeper.update(after, before);
    this.#look();
    const shards = changedShards(before, after);
    if (shards.length > 0) this.#events.emit("change", shards);
  }

  #look(): void {
    const stay = this.#stay;
    if (stay === undefined) return;
    // Who was told otherwise owns nothing here; where it leads, it assigns like anybody else.
    if (!this.#mismatch) this.#makeSure(stay);
    stay.assigner.look();
  }

  /** Whoever was out of touch may have been replaced meanwhile: it asks the log before it answers again. */
  #makeSure(stay: Stay): void {
    if (!stay.ground.hasQuorum) this.#isOutOfTouch(stay);
    if (stay.isSure || stay.isAsking || !stay.ground.hasQuorum) return;
    stay.isAsking = true;
    stay.ground.log.readIndex().then(
      () => {
        stay.isAsking = false;
        if (this.#stay !== stay || !stay.ground.hasQuorum) return;
        stay.isSure = true;
        stay.stopClock?.();
        stay.stopClock = undefined;
        stay.keeper.open();
        this.#serve();
      },
      () => {
        stay.isAsking = false;
        // Nobody could be asked: as soon as something changes, or after a moment.
        this.#parts.clock.after(500, () => this.#stay === stay && this.#look());
      },
    );
  }

  /** It refuses from now on, and after a while lets go of everything: sooner than others would think it gone. */
  #isOutOfTouch(stay: Stay): void {
    if (stay.isSure) {
      stay.isSure = false;
      // What is sent meanwhile, notifications too, finds nobody here and is sent again.
      this.#serve();
    }
    stay.stopClock ??= this.#parts.clock.after(stay.ground.letGoAfterMs, () => stay.keeper.shut());
  }

  #candidates(ground: ClusterGround): readonly Candidate[] | undefined {
    if (!ground.isLeading) return undefined;
    const setup = this.#setup();
    return ground.seated().map(({ peer, standing }) => ({ peer, standing: this.#serving.standingOf(peer, standing), serves: this.#serving.serves(peer, setup) }));
  }

  /** What the log says, once it says something. */
  #setup(): ShardSetup {
    const { numShards, seed } = this.#table.numShards === 0 ? { numShards: this.#parts.options.shards, seed: this.#seed } : this.#table;
    return { numShards, seed };
  }

  #serve(): void {
    const shards = this.#stay?.isSure === true ? this.#stay.keeper.served : [];
    void this.node.setShards(shards).catch((error: unknown) => this.#parts.logger?.error("shards are not served", error));
  }

  async #handle(envelope: Envelope, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const stay = this.#stay;
    const shard = stay?.keeper.get(envelope.shard);
    const callerEpoch = Number(getHeader(envelope, EPOCH_HEADER) ?? 0);
    if (stay === undefined || shard === undefined || shard.isLeaving || callerEpoch > shard.fence.epoch || !stay.isSure || !stay.ground.hasQuorum) throw new ShardMovedError(envelope.shard);
    const { savesSent } = shard;
    try {
      return await stay.keeper.during(shard, () => this.#parts.options.handler(envelope, signal, shard));
    } catch (error) {
      throw this.#refusal(shard, savesSent, error);
    }
  }

  /**
   * A save that was refused because the shard went elsewhere changed nothing, so the call may be made there. Unless what it did went along, or was part of what
   * was saved since it began.
   */
  #refusal(shard: KeptShard, savesSent: number, error: unknown): unknown {
    const isRefused = shard.lost.aborted && (hasCode(error, "stale-owner") || error === shard.lost.reason);
    if (!isRefused) return error;
    const isTouched = shard.isHandedOver || shard.savesSent !== savesSent;
    return isTouched ? new HandlerFailedError(`shard ${shard.shard} went to another owner while this was handled; whether it was done is unknown`) : new ShardMovedError(shard.shard);
  }

  #routed(): Transport {
    const transport = this.#transport;
    const dated = (envelope: Envelope): Envelope => setHeader(envelope, EPOCH_HEADER, String(this.ownerOf(envelope.shard)?.epoch ?? 0));
    return {
      request: (envelope: Envelope, options?: CallOptions) => transport.request(dated(envelope), options),
      notify: (envelope: Envelope, options?: CallOptions) => transport.notify(dated(envelope), options),
      subscribe: (shard, handler) => transport.subscribe(shard, handler),
      close: () => transport.close(),
    };
  }
}
