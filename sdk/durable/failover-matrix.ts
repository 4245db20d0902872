// Every backend × policy × crash point, tried out and put into a table: what a crash there costs.
import { jsonCodec } from "../base/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { backendLabel, journalOnly, snapshotJournal, snapshotOnly, supportedBackends, type BackendKind, type DurableBackend } from "./backend.ts";
import type { ContinuityReport } from "./continuity.ts";
import { DurableSession, type ResumePolicy } from "./durable-session.ts";
import { fenceFor } from "./fence.ts";

/** Where the process dies around the eighth delta: before its first write, after that write reached the disk but before anybody heard of it, or after it was acknowledged. */
export type CrashPoint = "before" | "during" | "after";

/** One row of the table. */
export interface FailoverRow {
  readonly backend: string;
  readonly policy: ResumePolicy;
  readonly crashPoint: CrashPoint;
  /** Deltas acknowledged before the crash. */
  readonly acknowledged: number;
  /** The counter after recovery: each delta adds one. */
  readonly recovered: number;
  /** Acknowledged deltas missing after recovery (all of them, by design, after a remount). */
  readonly lost: number;
  readonly route: string;
  readonly continuity: ContinuityReport;
}

const POLICIES: readonly ResumePolicy[] = ["resume", "rehydrate", "remount"];
const POINTS: readonly CrashPoint[] = ["before", "during", "after"];
const CHECKPOINT_EVERY = 4;
// The eighth delta is due for a checkpoint, so that its write, or the second of its writes, is among those that are lost.
const DELTAS_BEFORE = 7;

/** A store whose process dies at a chosen write. */
interface Mortal {
  readonly store: ByteStore;
  /** Carries out so many writes more, the last of them without an answer; everything later is lost. */
  allow(writes: number): void;
}

function mortalStore(store: ByteStore): Mortal {
  let left = Number.POSITIVE_INFINITY;
  const mustLive = (): void => {
    if (left === 0) throw new Error("the process is gone");
  };
  return {
    allow: (writes) => {
      left = writes;
    },
    store: {
      read: (key) => store.read(key),
      readRange: (from, to) => store.readRange(from, to),
      write: async (ops) => {
        mustLive();
        left -= 1;
        await store.write(ops);
        mustLive();
      },
      compareAndSet: (key, expected, next) => store.compareAndSet(key, expected, next),
      close: async () => {},
    },
  };
}

function backendOn(kind: BackendKind, store: ByteStore): DurableBackend {
  if (kind === "journal-only") return journalOnly(store);
  return kind === "snapshot-only" ? snapshotOnly(store, CHECKPOINT_EVERY) : snapshotJournal(store, store, CHECKPOINT_EVERY);
}

/** Tries the whole matrix, each row on a store of its own. Cost: 27 short sessions. */
export async function failoverMatrix(freshStore: () => ByteStore | Promise<ByteStore>): Promise<readonly FailoverRow[]> {
  const rows: FailoverRow[] = [];
  for (const kind of supportedBackends()) {
    for (const policy of POLICIES) {
      for (const crashPoint of POINTS) rows.push(await tryRow(kind, policy, crashPoint, await freshStore()));
    }
  }
  return rows;
}

async function tryRow(kind: BackendKind, policy: ResumePolicy, crashPoint: CrashPoint, store: ByteStore): Promise<FailoverRow> {
  const sessionId = `failover/${kind}/${policy}/${crashPoint}`;
  const common = { sessionId, policy, initial: 0, apply: (state: number, delta: number) => state + delta, states: jsonCodec<number>(), deltas: jsonCodec<number>() };
  const mortal = mortalStore(store);
  const first = await DurableSession.open({ ...common, backend: backendOn(kind, mortal.store), fence: fenceFor(sessionId, "first", 1) });
  await first.start("route-1");
  for (let delta = 0; delta < DELTAS_BEFORE; delta += 1) await first.append(1);
  mortal.allow({ before: 0, during: 1, after: Number.POSITIVE_INFINITY }[crashPoint]);
  const acknowledged = await first.append(1).catch(() => DELTAS_BEFORE);
  mortal.allow(0);
  const second = await DurableSession.open({ ...common, backend: backendOn(kind, store), fence: fenceFor(sessionId, "second", 2) });
  await second.restart();
  const continuity = await second.reconnect("route-2", 0);
  const recovered = second.state;
  return { backend: backendLabel(backendOn(kind, store)), policy, crashPoint, acknowledged, recovered, lost: Math.max(0, acknowledged - recovered), route: second.route, continuity };
}

/** The matrix as a table in Markdown. */
export function formatFailoverMatrix(rows: readonly FailoverRow[]): string {
  const head = ["backend", "policy", "crash", "acknowledged", "recovered", "lost", "estimated", "continuity", "route"];
  const lines = rows.map((row) => [row.backend, row.policy, row.crashPoint, row.acknowledged, row.recovered, row.lost, row.continuity.estimatedLostEvents, row.continuity.met ? "kept" : "broken", row.route]);
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
