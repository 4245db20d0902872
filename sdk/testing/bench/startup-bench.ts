// Start-up in a page: a log written by real commits, then read back by `openReplica` and by bare IndexedDB in turn.
import { peerId } from "../../base/index.ts";
import { systemClock, systemRandom, wallClock } from "../../platform/index.ts";
import { openReplica, RAFT_PRESETS, type NodeChannel, type Replica } from "../../replica/index.ts";
import { PAYLOAD_BYTES_MAX } from "../../seam/index.ts";
import { IndexedDbByteStore } from "../../storage/indexeddb/index.ts";
import { BareReader } from "./bare-disk.ts";
import { scopeIn, storeIn } from "./match-store.ts";

const SELF = "tab-1";
const GROUP_ID = "start-up";
const SNAPSHOT_BYTES = 1024;

/** A log to be written. */
export interface LogPlan {
  readonly database: string;
  readonly entries: number;
  readonly entryBytes: number;
  /** Proposals under way at a time: what is proposed in one turn lies in one record. */
  readonly inFlight: number;
  /** A snapshot at each of these indexes. */
  readonly snapshots: readonly number[];
}

/** What one start took, milliseconds. */
export interface StartTimes {
  /** Until `openReplica` resolved. */
  readonly openMs: number;
  /** Until everything that was known to be committed was applied, too. */
  readonly appliedMs: number;
  readonly applied: number;
  /** The same records, by bare IndexedDB. */
  readonly bareMs: number;
  readonly records: number;
  readonly bytes: number;
  /** The same, by the byte store a match uses. */
  readonly storeMs: number;
}

function alone(): NodeChannel {
  const selfId = peerId(SELF);
  return { selfId, peers: new Set([selfId]), payloadBytesMax: PAYLOAD_BYTES_MAX, on: () => () => {}, sendTo: () => {} };
}

function openNode(db: IndexedDbByteStore, autoTick: boolean): Promise<Replica> {
  const storage = storeIn(db, SELF, GROUP_ID);
  return openReplica({ seam: alone(), groupId: GROUP_ID, clock: systemClock, random: systemRandom(), wallClock, voters: [peerId(SELF)], storage, identity: "durable", autoTick, config: RAFT_PRESETS.browser });
}

/** Writes the log by commits of a group of one. */
export async function writeLog({ database, entries, entryBytes, inFlight, snapshots }: LogPlan): Promise<void> {
  const db = await IndexedDbByteStore.open({ name: database });
  const node = await openNode(db, true);
  while (node.role !== "leader") await new Promise((again) => setTimeout(again, 20));
  const due = [...snapshots];
  let serial = 0;
  const propose = (): Promise<unknown> => {
    serial += 1;
    const payload = new Uint8Array(entryBytes).fill(7);
    new DataView(payload.buffer).setUint32(0, serial);
    return node.propose(payload);
  };
  while (node.appliedIndex < entries) {
    await Promise.all(Array.from({ length: Math.min(inFlight, entries - node.appliedIndex, (due[0] ?? entries) - node.appliedIndex) }, propose));
    if (node.appliedIndex !== due[0]) continue;
    await node.snapshot(node.appliedIndex, new Uint8Array(SNAPSHOT_BYTES).fill(1));
    due.shift();
  }
  await node.close();
  await db.close();
}

/** Starts `rounds` times, each beside a bare reading of the same range. */
export async function timeStarts(database: string, rounds: number): Promise<readonly StartTimes[]> {
  const db = await IndexedDbByteStore.open({ name: database });
  const bare = await BareReader.open(database);
  const taken: StartTimes[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Whoever comes second may find something warm: they take turns at it.
    const before = round % 2 === 0 ? await timeBare(bare) : undefined;
    const opened = await timeOpen(db);
    taken.push({ ...opened, ...(before ?? (await timeBare(bare))), storeMs: await timeStore(db) });
  }
  bare.close();
  await db.close();
  return taken;
}

async function timeBare(bare: BareReader): Promise<Pick<StartTimes, "bareMs" | "records" | "bytes">> {
  const scope = scopeIn(SELF, GROUP_ID);
  const start = performance.now();
  const read = await bare.read(scope, `${scope}\uffff`);
  return { ...read, bareMs: performance.now() - start };
}

async function timeOpen(db: IndexedDbByteStore): Promise<Pick<StartTimes, "openMs" | "appliedMs" | "applied">> {
  const start = performance.now();
  const node = await openNode(db, false);
  const openMs = performance.now() - start;
  await new Promise((task) => setTimeout(task, 0));
  const appliedMs = performance.now() - start;
  const applied = node.appliedIndex;
  await node.close();
  return { openMs, appliedMs, applied };
}

async function timeStore(db: IndexedDbByteStore): Promise<number> {
  const start = performance.now();
  await storeIn(db, SELF, GROUP_ID).readRange("", "\uffff");
  return performance.now() - start;
}
