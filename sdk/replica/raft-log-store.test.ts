import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { peerId } from "../base/index.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, encodeMembership, type Entry, type RestoredState, type Write } from "../raft/index.ts";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { emptyLayout, RAFT_RECORDS, restoreFrom, writeToOps, type LogLayout } from "./raft-log-store.ts";

const a = peerId("a");
const membership = { voters: [a], votersOutgoing: [], learners: [], learnersNext: [] };
const entry = (index: number, term: number, byte = index % 256): Entry =>
  index === 1 ? { index, term, kind: ENTRY_MEMBERSHIP, time: 0, data: encodeMembership(membership) } : { index, term, kind: ENTRY_COMMAND, time: index * 10, data: Uint8Array.of(byte, term) };

/** The plainest model of the Write record's prose, to compare with. */
function applyToModel(state: RestoredState, write: Write): RestoredState {
  let { hardState, snapshot, entries } = state;
  if (write.snapshot !== undefined) {
    const { index } = write.snapshot;
    snapshot = write.snapshot;
    entries = entries.filter((held) => held.index > index);
  }
  const cut = Math.min(write.truncateAfter ?? Number.POSITIVE_INFINITY, (write.entries[0]?.index ?? Number.POSITIVE_INFINITY) - 1);
  entries = [...entries.filter((held) => held.index <= cut), ...write.entries];
  if (write.hardState !== undefined) hardState = write.hardState;
  return { hardState, snapshot, entries };
}

/** Turns arbitrary numbers into a legal sequence of writes, as a machine could hand out. */
function legalWrites(choices: readonly (readonly [number, number, number])[]): { writes: Write[]; states: RestoredState[] } {
  let state: RestoredState = { hardState: { term: 0, vote: undefined, commit: 0 }, snapshot: undefined, entries: [] };
  let term = 1;
  const writes: Write[] = [];
  const states: RestoredState[] = [state];
  for (const [kind, x, y] of choices) {
    const base = state.snapshot?.index ?? 0;
    const last = base + state.entries.length;
    const commit = Math.max(state.hardState.commit, base);
    let truncateAfter: number | undefined;
    let snapshot: Write["snapshot"];
    let from = last + 1;
    let count = x % 4;
    if (kind === 1) {
      term += 1;
      from = commit + 1 + (x % (last - commit + 1));
      truncateAfter = from - 1;
      count = y % 4;
    } else if (kind === 2 && commit > base) {
      const index = base + 1 + (x % (commit - base));
      snapshot = { index, term: state.entries[index - base - 1]!.term, time: index * 10, membership, data: Uint8Array.of(index) };
    } else if (kind === 3) {
      term += 1;
      const index = last + 1 + (x % 5) - (last > commit ? 1 : 0);
      snapshot = { index, term, time: index * 10, membership, data: Uint8Array.of(index) };
      truncateAfter = index;
      from = index + 1;
    }
    const entries = Array.from({ length: count }, (_, at) => entry(from + at, term));
    const write: Write = { id: writes.length + 1, truncateAfter, snapshot, entries, hardState: { term, vote: y % 2 ? a : undefined, commit: Math.max(commit, kind === 3 ? from - 1 : 0) } };
    const next = applyToModel(state, write);
    const top = (next.snapshot?.index ?? 0) + next.entries.length;
    const legal: Write = { ...write, hardState: y % 3 === 0 ? { term, vote: a, commit: Math.max(write.hardState!.commit, Math.min(top, commit + (y % 5))) } : write.hardState };
    state = applyToModel(state, legal);
    writes.push(legal);
    states.push(state);
  }
  return { writes, states };
}

const choices = fc.array(fc.tuple(fc.nat(3), fc.nat(40), fc.nat(40)), { maxLength: 25 });

async function restored(disk: MemoryDisk): Promise<ReturnType<typeof restoreFrom>> {
  return restoreFrom(await new MemoryByteStore(disk).readRange(RAFT_RECORDS.from, RAFT_RECORDS.to));
}

describe("the stored log", () => {
  test("an empty store is a blank state", () => {
    expect(restoreFrom([])).toEqual({ restored: { hardState: { term: 0, vote: undefined, commit: 0 }, snapshot: undefined, entries: [] }, layout: emptyLayout() });
  });

  test("[LS1] any sequence of writes, stopped after any of them, is restored exactly", async () => {
    await fc.assert(
      fc.asyncProperty(choices, async (chosen) => {
        const { writes, states } = legalWrites(chosen);
        const disk = new MemoryDisk();
        const store = new MemoryByteStore(disk);
        let layout: LogLayout = emptyLayout();
        for (const [at, write] of writes.entries()) {
          await store.write(writeToOps(write, layout));
          const back = await restored(disk);
          expect(back.restored).toEqual(states[at + 1]);
          // Going on from what a restart finds must be the same as never having stopped.
          expect(back.layout).toEqual(layout);
          if (at % 3 === 0) layout = back.layout;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("[LS2] any byte flipped, and any record cut short, is refused with the record's name or changes nothing", async () => {
    const { writes, states } = legalWrites([[0, 3, 1], [0, 2, 3], [1, 1, 2], [2, 1, 0], [0, 3, 3]]);
    const disk = new MemoryDisk();
    const store = new MemoryByteStore(disk);
    const layout = emptyLayout();
    for (const write of writes) await store.write(writeToOps(write, layout));
    const records = await store.readRange(RAFT_RECORDS.from, RAFT_RECORDS.to);
    expect(restoreFrom(records).restored).toEqual(states.at(-1));
    let refused = 0;
    for (const [place, [key, value]] of records.entries()) {
      for (let at = 0; at < value.length; at += 1) {
        for (const damaged of [value.map((byte, where) => (where === at ? byte ^ 0x41 : byte)), value.subarray(0, at)]) {
          const damagedRecords = records.map((record, where) => (where === place ? ([key, damaged] as const) : record));
          expect(() => restoreFrom(damagedRecords)).toThrow(expect.objectContaining({ code: "corrupt-state", record: key }));
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  test("[LS2] a record under another record's name is refused", async () => {
    const layout = emptyLayout();
    const disk = new MemoryDisk();
    const hardState = { term: 1, vote: undefined, commit: 0 };
    await new MemoryByteStore(disk).write(writeToOps({ id: 1, hardState, truncateAfter: undefined, snapshot: undefined, entries: [entry(1, 1)] }, layout));
    const [hard, log] = await new MemoryByteStore(disk).readRange(RAFT_RECORDS.from, RAFT_RECORDS.to);
    expect(() => restoreFrom([hard!, ["raft/log/0000000000000002", log![1]]])).toThrow(expect.objectContaining({ code: "corrupt-state" }));
    expect(() => restoreFrom([hard!, ["raft/log/2", log![1]]])).toThrow(expect.objectContaining({ code: "corrupt-state" }));
    expect(() => restoreFrom([hard!, log!, ["raft/other", log![1]]])).toThrow(expect.objectContaining({ record: "raft/other" }));
  });

  test("[LS3] a gap, a term that falls, a missing hard state and a commit beyond the log are refused", async () => {
    const recordsOf = async (...writes: Write[]): Promise<(readonly [string, Uint8Array])[]> => {
      const layout = emptyLayout();
      const store = new MemoryByteStore();
      for (const write of writes) await store.write(writeToOps(write, layout));
      return [...(await store.readRange(RAFT_RECORDS.from, RAFT_RECORDS.to))];
    };
    const write = (id: number, entries: Entry[], commit = 0): Write => ({ id, hardState: { term: 3, vote: undefined, commit }, truncateAfter: undefined, snapshot: undefined, entries });
    const whole = await recordsOf(write(1, [entry(1, 1), entry(2, 1)]), write(2, [entry(3, 2)]), write(3, [entry(4, 3)]));
    expect(restoreFrom(whole).restored.entries).toHaveLength(4);
    const without = (part: string): (readonly [string, Uint8Array])[] => whole.filter(([key]) => !key.includes(part));
    expect(() => restoreFrom(without("0003"))).toThrow(expect.objectContaining({ code: "corrupt-state", record: "raft/log/0000000000000003" }));
    expect(() => restoreFrom(without("0001"))).toThrow(expect.objectContaining({ code: "corrupt-state" }));
    expect(() => restoreFrom(without("hard"))).toThrow(expect.objectContaining({ code: "corrupt-state", record: "raft/hard" }));
    const falling = await recordsOf(write(1, [entry(1, 2)]), write(2, [entry(2, 1)]));
    expect(() => restoreFrom(falling)).toThrow(expect.objectContaining({ code: "corrupt-state" }));
    const ahead = await recordsOf(write(1, [entry(1, 1)], 5));
    expect(() => restoreFrom(ahead)).toThrow(expect.objectContaining({ code: "corrupt-state", record: "raft/hard" }));
  });

  test("[LS6] of a batch cut off at any point nothing is believed: the beginning of a batch is refused, by the name of a record in it", async () => {
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(choices, async (chosen) => {
        const disk = new MemoryDisk();
        const store = new MemoryByteStore(disk);
        const layout = emptyLayout();
        for (const write of legalWrites(chosen).writes) {
          const ops = writeToOps(write, layout);
          const before = new Map(disk.records);
          for (let kept = 1; kept < ops.length; kept += 1) {
            await store.write(ops.slice(0, kept));
            await expect(restored(disk)).rejects.toMatchObject({ code: "corrupt-state", record: expect.stringMatching(/^raft\//) });
            disk.records.clear();
            for (const [key, value] of before) disk.records.set(key, value);
            cuts += 1;
          }
          await store.write(ops);
        }
      }),
      { numRuns: 200 },
    );
    expect(cuts).toBeGreaterThan(1000);
  });

  test("[LS6] a cut batch is refused even where what it left looks like a whole log of the right length", async () => {
    const disk = new MemoryDisk();
    const store = new MemoryByteStore(disk);
    const layout = emptyLayout();
    const hardState = { term: 5, vote: undefined, commit: 1 };
    await store.write(writeToOps({ id: 1, hardState, truncateAfter: undefined, snapshot: undefined, entries: [entry(1, 1)] }, layout));
    await store.write(writeToOps({ id: 2, hardState: undefined, truncateAfter: undefined, snapshot: undefined, entries: [entry(2, 2), entry(3, 2)] }, layout));
    // A leader of term 5 replaces a tail by an older one of the same length: terms, ends and counts are all as before.
    const ops = writeToOps({ id: 3, hardState: undefined, truncateAfter: 1, snapshot: undefined, entries: [entry(2, 3), entry(3, 3)] }, layout);
    await store.write(ops.slice(0, -1));
    await expect(restored(disk)).rejects.toMatchObject({ code: "corrupt-state", record: "raft/log/0000000000000002" });
    await store.write(ops);
    expect((await restored(disk)).restored.entries.map(({ term }) => term)).toEqual([1, 3, 3]);
  });

  test("[LS7] any one record of a log that is gone is missed", async () => {
    let gone = 0;
    await fc.assert(
      fc.asyncProperty(choices, async (chosen) => {
        const store = new MemoryByteStore();
        const layout = emptyLayout();
        for (const write of legalWrites(chosen).writes) await store.write(writeToOps(write, layout));
        const records = await store.readRange(RAFT_RECORDS.from, RAFT_RECORDS.to);
        // Of a hard state without a log there is nothing else: openReplica misses it.
        if (records.length < 2) return;
        for (const [key] of records) {
          expect(() => restoreFrom(records.filter(([other]) => other !== key))).toThrow(expect.objectContaining({ code: "corrupt-state" }));
          gone += 1;
        }
      }),
      { numRuns: 200 },
    );
    expect(gone).toBeGreaterThan(500);
  });

  test("[LS4] one write is one batch, and its entries share one record", () => {
    const layout = emptyLayout();
    const ops = writeToOps({ id: 1, hardState: { term: 1, vote: a, commit: 0 }, truncateAfter: undefined, snapshot: undefined, entries: Array.from({ length: 256 }, (_, at) => entry(at + 1, 1)) }, layout);
    expect(ops.map((op) => (op.type === "put" ? op.key : op.type))).toEqual(["raft/log/0000000000000001", "raft/hard"]);
  });
});
