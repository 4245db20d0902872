// Every backend × policy × crash point of a durable session, tried out and put into a table: what a crash there costs.
import { jsonCodec } from "../base/index.ts";
import {
  backendLabel, DurableSession, fenceFor, journalOnly, snapshotJournal, snapshotOnly, supportedBackends,
  type BackendKind, type ContinuityReport, type DurableBackend, type DurableSessionOptions, type ResumePolicy,
} from "../durable/index.ts";
import type { ByteStore, ByteStoreOp } from "../storage/index.ts";

/** Where the process dies around one of its writes: it never reached the disk, it did but nobody heard of it, or it was answered and nothing came after. */
export type CrashPoint = "before" | "during" | "after";

/** Where the records of one row live; opened once by the process that dies and once by the next one. */
export interface FailoverPlace {
  /** A store on what is there. */
  open(): Promise<ByteStore>;
}

/** One row of the table. */
export interface FailoverRow {
  readonly backend: string;
  readonly policy: ResumePolicy;
  /** Number of the write, from 1. */
  readonly write: number;
  /** What the write is: `claim`, `journal`, `checkpoint` or `trim`. */
  readonly kind: string;
  readonly crashPoint: CrashPoint;
  /** Deltas acknowledged before the crash. */
  readonly acknowledged: number;
  /** The counter after recovery: each delta adds one. */
  readonly recovered: number;
  /** Acknowledged deltas missing after recovery (all of them, by design, after a remount). */
  readonly lost: number;
  readonly route: string;
  /** Undefined when the crash came before anything was stored: the next process finds no session and begins one. */
  readonly continuity: ContinuityReport | undefined;
}

const POLICIES: readonly ResumePolicy[] = ["resume", "rehydrate", "remount"];
const POINTS: readonly CrashPoint[] = ["before", "during", "after"];
const CHECKPOINT_EVERY = 4;
// Two checkpoints, and deltas after the last one.
const DELTAS = 10;

/** A store whose process dies around one of its writes; it tells what the writes were. */
interface Mortal {
  readonly store: ByteStore;
  readonly kinds: string[];
  isDead: boolean;
}

function mortalStore(store: ByteStore, write: number, point: CrashPoint): Mortal {
  const end = (): never => {
    mortal.isDead = true;
    throw new Error("the process is gone");
  };
  const dying = async <T>(kind: string, perform: () => Promise<T>): Promise<T> => {
    if (mortal.isDead) end();
    const number = mortal.kinds.push(kind);
    if (number === write && point === "before") end();
    const result = await perform();
    if (number === write && point === "during") end();
    mortal.isDead = number === write;
    return result;
  };
  const mortal: Mortal = {
    kinds: [],
    isDead: false,
    store: {
      read: (key) => store.read(key),
      readRange: (from, to) => store.readRange(from, to),
      write: (ops) => dying(kindOf(ops), () => store.write(ops)),
      compareAndSet: (key, expected, next) => dying("claim", () => store.compareAndSet(key, expected, next)),
      close: () => store.close(),
    },
  };
  return mortal;
}

function kindOf(ops: readonly ByteStoreOp[]): string {
  if (ops.some(({ type }) => type === "delete-range")) return "trim";
  return ops.some((op) => op.type === "put" && op.key.startsWith("snapshot/")) ? "checkpoint" : "journal";
}

function backendOn(kind: BackendKind, store: ByteStore): DurableBackend {
  if (kind === "journal-only") return journalOnly(store);
  return kind === "snapshot-only" ? snapshotOnly(store, CHECKPOINT_EVERY) : snapshotJournal(store, store, CHECKPOINT_EVERY);
}

/**
 * Tries the whole matrix, each row in a place of its own: a counter that takes ten deltas, with a checkpoint every four, dies around every one of its
 * writes and is opened again by another owner. Cost: about 300 short sessions.
 */
export async function failoverMatrix(freshPlace: () => FailoverPlace | Promise<FailoverPlace>): Promise<readonly FailoverRow[]> {
  const rows: FailoverRow[] = [];
  for (const kind of supportedBackends()) {
    for (const policy of POLICIES) {
      // A run without a crash shows how many writes there are.
      const writes = (await livedUntil({ kind, policy, write: Number.POSITIVE_INFINITY, point: "after" }, await freshPlace())).kinds.length;
      for (let write = 1; write <= writes; write += 1) {
        for (const point of POINTS) rows.push(await tryRow({ kind, policy, write, point }, await freshPlace()));
      }
    }
  }
  return rows;
}

interface Case {
  readonly kind: BackendKind;
  readonly policy: ResumePolicy;
  readonly write: number;
  readonly point: CrashPoint;
}

function optionsFor({ kind, policy }: Case, owner: { readonly name: string; readonly epoch: number }, store: ByteStore): DurableSessionOptions<number, number> {
  const sessionId = "failover";
  return {
    sessionId, policy, backend: backendOn(kind, store), fence: fenceFor(sessionId, owner.name, owner.epoch), initial: 0,
    apply: (state, delta) => state + delta, states: jsonCodec<number>(), deltas: jsonCodec<number>(),
  };
}

/** The first process, up to its end. */
async function livedUntil(row: Case, place: FailoverPlace): Promise<{ readonly acknowledged: number; readonly kinds: readonly string[] }> {
  const { store, kinds } = mortalStore(await place.open(), row.write, row.point);
  let acknowledged = 0;
  try {
    const session = await DurableSession.open(optionsFor(row, { name: "first", epoch: 1 }, store));
    await session.start("route-1");
    while (acknowledged < DELTAS) acknowledged = await session.append(1);
  } catch (error) {
    if (!(error instanceof Error) || error.message !== "the process is gone") throw error;
  }
  await store.close();
  return { acknowledged, kinds };
}

async function tryRow(row: Case, place: FailoverPlace): Promise<FailoverRow> {
  const { acknowledged, kinds } = await livedUntil(row, place);
  const store = await place.open();
  const session = await DurableSession.open(optionsFor(row, { name: "second", epoch: 2 }, store));
  let continuity: ContinuityReport | undefined;
  if (session.opening.existed) {
    await session.restart();
    continuity = await session.reconnect("route-2", 0);
  } else {
    await session.start("route-2");
  }
  const { state: recovered, route } = session;
  await store.close();
  return {
    backend: backendLabel(backendOn(row.kind, store)), policy: row.policy, write: row.write, kind: kinds[row.write - 1] ?? "", crashPoint: row.point,
    acknowledged, recovered, lost: Math.max(0, acknowledged - recovered), route, continuity,
  };
}

/** The matrix as a table in Markdown. */
export function formatFailoverMatrix(rows: readonly FailoverRow[]): string {
  const head = ["backend", "policy", "write", "crash", "acknowledged", "recovered", "lost", "estimated", "continuity", "route"];
  const lines = rows.map(({ backend, policy, write, kind, crashPoint, acknowledged, recovered, lost, continuity, route }) => {
    const [estimated, kept] = continuity === undefined ? ["", "new session"] : [continuity.estimatedLostEvents, continuity.met ? "met" : "not met"];
    return [backend, policy, `${write} ${kind}`, crashPoint, acknowledged, recovered, lost, estimated, kept, route];
  });
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
