// Sessions over their stores: fencing, policies, lifecycle, and what is left after every crash point.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonCodec } from "../base/index.ts";
import { MemoryByteStore, MemoryDisk, type ByteStore, type ByteStoreOp } from "../storage/index.ts";
import { journalOnly, snapshotJournal, snapshotOnly, supportedBackends, type BackendKind, type DurableBackend } from "./backend.ts";
import { DURABLE_PENDING_MAX, DurableSession, type DurableSessionOptions, type ResumePolicy } from "./durable-session.ts";
import { fenceFor, type OwnershipFence } from "./fence.ts";
import { decodeJournalRecord, encodeJournalRecord, journalKey, readJournal } from "./journal.ts";
import { recover } from "./recovery.ts";
import { StoreFence } from "./store-fence.ts";

const ID = "match/1";
const counter = { initial: 0, apply: (state: number, delta: number) => state + delta, states: jsonCodec<number>(), deltas: jsonCodec<number>() };

function backendOn(kind: BackendKind, store: ByteStore, every = 4): DurableBackend {
  if (kind === "journal-only") return journalOnly(store);
  return kind === "snapshot-only" ? snapshotOnly(store, every) : snapshotJournal(store, store, every);
}

function options(backend: DurableBackend, fence: OwnershipFence = fenceFor(ID, "ann", 1), policy: ResumePolicy = "resume"): DurableSessionOptions<number, number> {
  return { sessionId: ID, backend, policy, fence, ...counter };
}

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => "ok", (error: unknown) => (error as { code?: string }).code ?? error);
}

async function started(backend: DurableBackend, deltas: readonly number[], fence?: OwnershipFence, policy?: ResumePolicy): Promise<DurableSession<number, number>> {
  const session = await DurableSession.open(options(backend, fence, policy));
  await session.start("route-1");
  for (const delta of deltas) await session.append(delta);
  return session;
}

describe.each(supportedBackends())("a session on %s", (kind) => {
  test("[DU11] a stale owner's calls are refused after a takeover and change nothing", async () => {
    const disk = new MemoryDisk();
    const old = await started(backendOn(kind, new MemoryByteStore(disk), 1), [1, 2, 3]);
    const fence = await old.requestTakeover("bob");
    expect(fence).toEqual(fenceFor(ID, "bob", 2));
    const heir = await DurableSession.open(options(backendOn(kind, new MemoryByteStore(disk), 1), fence));
    const before = new Map(disk.records);
    expect(await code(old.append(100))).toBe("stale-owner");
    expect(await code(old.crash(0))).toBe("stale-owner");
    expect(disk.records).toEqual(before);
    await heir.restart();
    await heir.reconnect("route-2", 0);
    await heir.append(10);
    expect(heir.state).toBe(16);
    expect(await code(DurableSession.open(options(backendOn(kind, new MemoryByteStore(disk)), fenceFor(ID, "ann", 1))))).toBe("stale-owner");
    expect(await code(DurableSession.open(options(backendOn(kind, new MemoryByteStore(disk)), fenceFor(ID, "eve", 2))))).toBe("split-brain");
  });

  test("[DU12] what it promises to keep is there for the next process, and the rest is reported", async () => {
    const disk = new MemoryDisk();
    await started(backendOn(kind, new MemoryByteStore(disk)), [1, 1, 1, 1, 1, 1]);
    const next = await DurableSession.open(options(backendOn(kind, new MemoryByteStore(disk)), fenceFor(ID, "ann", 2)));
    await next.restart();
    expect(next.state).toBe(kind === "snapshot-only" ? 4 : 6);
    const report = await next.reconnect("x", 0);
    expect(report.estimatedLostEvents).toBe(kind === "snapshot-only" ? 3 : 0);
    expect(next.route).toBe("route-1");
  });

  test("[DU15] each policy does what it says", async () => {
    for (const policy of ["resume", "rehydrate", "remount"] as const) {
      const session = await started(backendOn(kind, new MemoryByteStore()), [1, 1, 1, 1, 1], undefined, policy);
      await session.disconnect(1_000);
      await session.restart();
      const report = await session.reconnect("route-2", 1_500);
      const kept = { resume: 5, rehydrate: kind === "snapshot-only" ? 4 : 5, remount: 0 }[policy];
      expect([policy, session.state, session.route]).toEqual([policy, kept, policy === "remount" ? "route-2" : "route-1"]);
      expect(report).toEqual({ reconnectLatencyMs: 500, estimatedLostEvents: 5 - kept, met: kept === 5 });
      expect(session.journalLabels().slice(-2)).toEqual([`restarted#${session.journal.at(-2)?.sequence}`, `reconnected#${session.journal.at(-1)?.sequence}`]);
      await session.append(1);
      expect(session.state).toBe(kept + 1);
    }
  });

  test("[DU16] the lifecycle refuses what does not fit, and nothing changes", async () => {
    const session = await DurableSession.open(options(backendOn(kind, new MemoryByteStore())));
    expect([await code(session.append(1)), await code(session.restart()), await code(session.reconnect("r", 0)), await code(session.disconnect(0))]).toEqual(Array.from({ length: 4 }, () => "lifecycle"));
    await session.start("r");
    expect([await code(session.start("r")), await code(session.restart()), await code(session.reconnect("r", 0))]).toEqual(Array.from({ length: 3 }, () => "lifecycle"));
    await session.append(1);
    await session.crash(0);
    expect(() => session.state).toThrow(/crashed/);
    expect([await code(session.append(1)), await code(session.crash(0)), await code(session.disconnect(0)), await code(session.reconnect("r", 0))]).toEqual(Array.from({ length: 4 }, () => "lifecycle"));
    await session.restart();
    await session.reconnect("r", 0);
    expect(session.lifecycle).toBe("live");
  });

  test("[DU13] any prefix of its writes recovers to what was acknowledged by then, or one delta more", async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), fc.nat(60), async (deltas, every, cut) => {
      const disk = new MemoryDisk();
      const store = new DyingStore(disk, cut);
      let acknowledged = 0;
      const applied = [0];
      try {
        const session = await DurableSession.open(options(backendOn(kind, store, every)));
        await session.start("r");
        for (const delta of deltas) {
          applied.push((applied.at(-1) ?? 0) + delta);
          await session.append(delta);
          acknowledged += 1;
        }
      } catch (error) {
        expect(String(error)).toContain("the tab died");
      }
      const found = await recover(options(backendOn(kind, new MemoryByteStore(disk), every)));
      expect(found.state).toBe(applied[found.position]);
      expect(found.position).toBeLessThanOrEqual(acknowledged + 1);
      expect(found.position).toBeGreaterThanOrEqual(kind === "snapshot-only" ? acknowledged - (acknowledged % every) : acknowledged);
    }), { numRuns: 150 });
  });

  test("[DU14] every flipped byte gives a state of some prefix or an error that names the record", async () => {
    const disk = new MemoryDisk();
    await started(backendOn(kind, new MemoryByteStore(disk)), [1, 1, 1, 1, 1, 1, 1]);
    let judged = 0;
    for (const [key, value] of disk.records) {
      for (let at = 0; at < value.length; at += 1) {
        const damaged = new MemoryDisk();
        for (const [k, v] of disk.records) damaged.records.set(k, v.slice());
        damaged.records.get(key)![at]! ^= 0x41;
        judged += 1;
        try {
          const session = await DurableSession.open(options(backendOn(kind, new MemoryByteStore(damaged)), fenceFor(ID, "ann", 2)));
          await session.restart();
          expect(session.state).toBe(session.position);
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^(durable-corrupt|stale-owner|split-brain|invalid-token)$/);
          if ((error as { code: string }).code === "durable-corrupt") expect((error as { record: string }).record).toBe(key);
        }
      }
    }
    expect(judged).toBeGreaterThan(40);
  });
});

/** Applies batches until the `cut`-th, then rejects for ever, as a store does whose tab dies in mid-air. */
class DyingStore extends MemoryByteStore {
  #left: number;
  constructor(disk: MemoryDisk, cut: number) {
    super(disk);
    this.#left = cut;
  }
  override async write(ops: readonly ByteStoreOp[]): Promise<void> {
    this.#spend();
    return super.write(ops);
  }
  override async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    this.#spend();
    return super.compareAndSet(key, expected, next);
  }
  #spend(): void {
    if (this.#left === 0) throw new Error("the tab died");
    this.#left -= 1;
  }
}

test("[DU11] two owners racing through any interleaving never both write under one epoch", async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), fc.constantFrom("append", "take"), fc.nat(3)), { minLength: 4, maxLength: 40 }), async (script) => {
    const disk = new MemoryDisk();
    const sessions: (DurableSession<number, number> | undefined)[] = [];
    const owners = ["ann", "bob"];
    let total = 0;
    const take = async (who: number): Promise<void> => {
      const store = new MemoryByteStore(disk);
      const fence = await new StoreFence(store).takeOver(ID, owners[who] ?? "");
      const session = await DurableSession.open(options(journalOnly(store), fence));
      if (session.lifecycle === "crashed") { await session.restart(); await session.reconnect("r", 0); } else await session.start("r");
      sessions[who] = session;
    };
    const running: Promise<unknown>[] = [];
    for (const [who, what, pause] of script) {
      for (let turn = 0; turn < pause; turn += 1) await Promise.resolve();
      running.push(what === "take" ? take(who).catch((error: unknown) => expect(["stale-owner", "split-brain"]).toContain((error as { code: string }).code)) : (sessions[who]?.append(1).then(() => (total += 1), (error: unknown) => expect((error as { code: string }).code).toBe("stale-owner")) ?? Promise.resolve()));
    }
    await Promise.all(running);
    const records = await new MemoryByteStore(disk).readRange("journal/", "journal0");
    const { entries, tornRecord } = readJournal(records);
    expect(tornRecord).toBeUndefined();
    expect(entries.filter(({ kind }) => kind === "delta")).toHaveLength(total);
    expect((await recover(options(journalOnly(new MemoryByteStore(disk))))).state).toBe(total);
  }), { numRuns: 100 });
});

test("[DU14] a torn record at the end is cut and reported, and the session goes on after it", async () => {
  const disk = new MemoryDisk();
  const session = await started(journalOnly(new MemoryByteStore(disk)), [1, 2, 3]);
  const last = journalKey(ID, session.journal.at(-1)!.sequence);
  disk.records.set(last, disk.records.get(last)!.slice(0, 11));
  const next = await DurableSession.open(options(journalOnly(new MemoryByteStore(disk)), fenceFor(ID, "ann", 2)));
  expect(next.opening).toEqual({ existed: true, tornRecord: last });
  expect(disk.records.has(last)).toBe(false);
  await next.restart();
  expect((await next.reconnect("r", 0)).estimatedLostEvents).toBe(1);
  await next.append(7);
  expect(next.state).toBe(10);
});

test("[DU14] a missing record in the middle is named", async () => {
  const disk = new MemoryDisk();
  await started(journalOnly(new MemoryByteStore(disk)), [1, 2, 3]);
  disk.records.delete(journalKey(ID, 3));
  await expect(recover(options(journalOnly(new MemoryByteStore(disk))))).rejects.toMatchObject({ code: "durable-corrupt", record: journalKey(ID, 4) });
  disk.records.delete(journalKey(ID, 1));
  await expect(recover(options(journalOnly(new MemoryByteStore(disk))))).rejects.toMatchObject({ code: "durable-corrupt" });
});

test("[DU18] a checkpoint trims the journal", async () => {
  const disk = new MemoryDisk();
  const session = await started(backendOn("snapshot-journal", new MemoryByteStore(disk)), [1, 1, 1, 1, 1]);
  expect([...disk.records.keys()].filter((key) => key.startsWith("journal/"))).toEqual([journalKey(ID, 6)]);
  expect(session.checkpointFailures).toBe(0);
});

test("[DU18] a checkpoint that fails loses nothing and is tried again", async () => {
  const disk = new MemoryDisk();
  const snapshots = new MemoryDisk();
  const session = await DurableSession.open(options(snapshotJournal(new MemoryByteStore(snapshots), new MemoryByteStore(disk), 2)));
  await session.start("r");
  snapshots.bytesMax = 1;
  for (const delta of [1, 1, 1]) await session.append(delta);
  expect(session.checkpointFailures).toBe(1);
  expect((await recover(options(snapshotJournal(new MemoryByteStore(snapshots), new MemoryByteStore(disk), 2)))).state).toBe(3);
  snapshots.bytesMax = Number.POSITIVE_INFINITY;
  await session.append(1);
  expect([...disk.records.keys()].filter((key) => key.startsWith("journal/"))).toEqual([]);
  expect((await recover(options(snapshotJournal(new MemoryByteStore(snapshots), new MemoryByteStore(disk), 2)))).state).toBe(4);
});

test("[DU17] continuity is kept only within both objectives", async () => {
  const session = await DurableSession.open({ ...options(journalOnly(new MemoryByteStore())), objectives: { latencyMsMax: 100, lostEventsMax: 0 } });
  await session.start("r");
  await session.disconnect(1_000);
  expect(await session.reconnect("r", 1_100)).toEqual({ reconnectLatencyMs: 100, estimatedLostEvents: 0, met: true });
  await session.disconnect(2_000);
  expect(await session.reconnect("r", 2_101)).toEqual({ reconnectLatencyMs: 101, estimatedLostEvents: 0, met: false });
  await session.disconnect(5_000);
  expect((await session.reconnect("r", 4_000)).reconnectLatencyMs).toBe(0);
});

test("[DU19] appends beyond the limit are refused, and those before it are kept", async () => {
  const session = await started(snapshotOnly(new MemoryByteStore(), 1_000_000), []);
  const taken = Array.from({ length: DURABLE_PENDING_MAX }, () => session.append(1));
  expect(await code(session.append(1))).toBe("invalid-argument");
  await Promise.all(taken);
  expect(session.state).toBe(DURABLE_PENDING_MAX);
  await session.append(1);
  expect(session.position).toBe(DURABLE_PENDING_MAX + 1);
});

test("a journal record of several entries stands or falls together", () => {
  const entries = [1, 2].map((sequence) => ({ kind: "delta", sequence, position: sequence, epoch: 1, payload: Uint8Array.of(sequence) }) as const);
  expect(decodeJournalRecord(encodeJournalRecord(entries))).toEqual(entries);
  expect(readJournal([["a", encodeJournalRecord(entries)], ["b", new Uint8Array(3)]])).toEqual({ entries, tornRecord: "b" });
  expect(() => readJournal([["a", new Uint8Array(3)], ["b", encodeJournalRecord(entries)]])).toThrow(/^a:/);
});
