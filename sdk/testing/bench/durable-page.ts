// What runs in each of the three durable tabs: a mesh, Raft nodes of several kinds on IndexedDB, and the bare disk and the bare round beside them.
import { peerId, type PeerId } from "../../base/index.ts";
import { systemClock, systemRandom, wallClock } from "../../platform/index.ts";
import { openReplica, RAFT_PRESETS, RAFT_RECORDS, type Replica } from "../../replica/index.ts";
import { BroadcastChannelSignaling, MuxSeam } from "../../seam/index.ts";
import { WebRtcSeam } from "../../seam/webrtc/index.ts";
import { IndexedDbByteStore } from "../../storage/indexeddb/index.ts";
import { BareDisk } from "./bare-disk.ts";
import { KeptTab } from "./kept-tab.ts";
import { storeIn } from "./match-store.ts";
import { timeStarts, writeLog, type LogPlan, type StartTimes } from "./startup-bench.ts";
import { BareTab } from "./tab-bare.ts";
import { Stopwatch, type TabSample } from "./tab-stopwatch.ts";
import { tappedLinks } from "./tab-tap.ts";

const NO_STATE = new Uint8Array(0);
/** Channels of the bench's groups lie above those the SDK names. */
const FIRST_TAG = 100;

/** One kind of group; `tab` is told by its place among all kinds. */
export interface GroupKind {
  readonly name: string;
  readonly durability: "relaxed" | "strict";
  readonly identity: "auto" | "durable";
  /** Every tab has a database of its own, as on devices of their own, instead of sharing the room's. */
  readonly apart: boolean;
}

/** A bare disk. */
export interface DiskKind {
  readonly durability: "relaxed" | "strict";
  readonly apart: boolean;
}

/** What this page asked of IndexedDB, whoever's it was. */
let transactions = 0;
let puts = 0;

function countTransactions(): void {
  const database = IDBDatabase.prototype;
  const begin = database.transaction;
  database.transaction = function counted(this: IDBDatabase, stores: string | string[], mode?: IDBTransactionMode, options?: IDBTransactionOptions): IDBTransaction {
    if (mode === "readwrite") transactions += 1;
    return begin.call(this, stores, mode, options);
  };
  const store = IDBObjectStore.prototype;
  const put = store.put;
  store.put = function counted(this: IDBObjectStore, value: unknown, key?: IDBValidKey): IDBRequest<IDBValidKey> {
    puts += 1;
    return put.call(this, value, key);
  };
}

/** The page's side of the bench, as the script outside sees it. */
export class DurableBench {
  readonly #bare = new BareTab();
  readonly #kept = new KeptTab(this.#bare.links, (disk, record) => this.#disk(disk).put(record));
  readonly #nodes: Replica[] = [];
  readonly #databases: IndexedDbByteStore[] = [];
  readonly #disks: BareDisk[] = [];
  #self = "";

  /** Joins the mesh and opens a node of every kind; resolves when all are linked to this tab. */
  async link(self: string, all: readonly string[], kinds: readonly GroupKind[], disks: readonly DiskKind[]): Promise<void> {
    const selfId = peerId(self);
    this.#self = self;
    const openLink = tappedLinks((link) => this.#bare.links.push(link), (bytes, link) => void (this.#kept.heard(bytes, link) || this.#bare.heard(bytes, link)));
    const signaling = new BroadcastChannelSignaling({ selfId, room: "durable-bench" });
    const seam = new WebRtcSeam({ selfId, signaling, clock: systemClock, random: systemRandom(), iceServers: [], openLink });
    await new Promise<void>((done) => {
      seam.on("peers", (peers) => {
        if (peers.size === all.length) done();
      });
    });
    for (const { durability, apart } of disks) this.#disks.push(await BareDisk.open(`bare-${durability}${apart ? `-${self}` : ""}`, durability, `${self}/`));
    const mux = new MuxSeam(seam);
    for (const [at, kind] of kinds.entries()) await this.#openNode(at, kind, mux, all.map(peerId));
  }

  async #openNode(at: number, { durability, identity, apart }: GroupKind, mux: MuxSeam, voters: readonly PeerId[]): Promise<void> {
    const db = await IndexedDbByteStore.open({ name: `room-${at}${apart ? `-${this.#self}` : ""}`, durability });
    this.#databases.push(db);
    const node = await openReplica({
      seam: mux.channel(FIRST_TAG + at), groupId: `bench-${at}`, clock: systemClock, random: systemRandom(), wallClock, voters, storage: storeIn(db, this.#self, `bench-${at}`), identity, config: RAFT_PRESETS.browser,
    });
    this.#nodes.push(node);
  }

  /** The leader of a kind's group as far as this tab knows. */
  leader(kind: number): string | undefined {
    return this.#node(kind).leader;
  }

  term(kind: number): number {
    return this.#node(kind).status.term;
  }

  async transfer(kind: number, to: string): Promise<void> {
    await this.#node(kind).transferLeadership(peerId(to));
  }

  /** Forgets what committed so far, so that no round carries what another left. */
  async compact(kind: number): Promise<void> {
    const node = this.#node(kind);
    await node.snapshot(node.appliedIndex, NO_STATE);
  }

  /** Write transactions and puts of this page so far. */
  written(): readonly [transactions: number, puts: number] {
    return [transactions, puts];
  }

  /** Bytes of the largest record of a group's log here. */
  async recordBytes(kind: number): Promise<number> {
    const db = this.#databases[kind];
    if (db === undefined) throw new Error("not linked");
    const records = await storeIn(db, this.#self, `bench-${kind}`).readRange(`${RAFT_RECORDS.from}log/`, RAFT_RECORDS.to);
    return Math.max(...records.map(([key, { length }]) => (key.startsWith(`${RAFT_RECORDS.from}log/`) ? length : 0)));
  }

  /** The bare network round. */
  round(options: { readonly ms: number; readonly entryBytes: number; readonly perMessage: number }): Promise<TabSample> {
    return this.#bare.commit({ ...options, messages: 1 });
  }

  /** The bare round with a bare transaction in every tab. */
  keptRound(options: { readonly ms: number; readonly disk: number; readonly recordBytes: number; readonly perRecord: number }): Promise<TabSample> {
    return this.#kept.commit(options);
  }

  /** The bare disk: `inFlight` transactions under way, each followed by the next. */
  transactions({ ms, disk, recordBytes, inFlight }: { readonly ms: number; readonly disk: number; readonly recordBytes: number; readonly inFlight: number }): Promise<TabSample> {
    const record = new Uint8Array(recordBytes).fill(7);
    return keepBusy(ms, inFlight, () => this.#disk(disk).put(record));
  }

  async clearDisk(disk: number): Promise<void> {
    await this.#disk(disk).clear();
  }

  /** Keeps `inFlight` proposals under way for about `ms`, each followed by the next when it resolves. */
  raft({ ms, kind, entryBytes, inFlight }: { readonly ms: number; readonly kind: number; readonly entryBytes: number; readonly inFlight: number }): Promise<TabSample> {
    const node = this.#node(kind);
    const payload = new Uint8Array(entryBytes).fill(7);
    return keepBusy(ms, inFlight, () => node.propose(payload));
  }

  writeLog(plan: LogPlan): Promise<void> {
    return writeLog(plan);
  }

  timeStarts(database: string, rounds: number): Promise<readonly StartTimes[]> {
    return timeStarts(database, rounds);
  }

  #node(kind: number): Replica {
    const node = this.#nodes[kind];
    if (node === undefined) throw new Error("not linked");
    return node;
  }

  #disk(at: number): BareDisk {
    const disk = this.#disks[at];
    if (disk === undefined) throw new Error("not linked");
    return disk;
  }
}

async function keepBusy(ms: number, inFlight: number, once: () => Promise<unknown>): Promise<TabSample> {
  const watch = new Stopwatch();
  const one = async (): Promise<void> => {
    const end = performance.now() + ms;
    for (let start = performance.now(), now = start; now < end; start = now) {
      await once();
      now = performance.now();
      watch.took(now - start);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return watch.sample();
}

declare global {
  var durableBench: DurableBench;
}

countTransactions();
globalThis.durableBench = new DurableBench();
