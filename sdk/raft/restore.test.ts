// Starting: what was stored is believed only when it can be right.
import { describe, expect, test } from "vitest";
import { concatBytes, hasCode, peerId, seededRandom } from "../base/index.ts";
import { raftConfig } from "./config.ts";
import { CorruptStateError } from "./errors.ts";
import { PackedEntries, type StoredState } from "./packed-entries.ts";
import { Raft } from "./raft.ts";
import { BLANK_STATE, bootstrapState } from "./restore.ts";
import { A, B, C, stateWith } from "./test-network.ts";
import type { RestoredState } from "./types.ts";

function start(restored: StoredState): Raft {
  return new Raft({ id: A, config: raftConfig({}, "lan"), restored, random: seededRandom(1) });
}

const GOOD = stateWith([A, B, C], [2, 2, 3]);
const SNAPSHOT = { index: 3, term: 2, time: 0, membership: { voters: [A], votersOutgoing: [], learners: [], learnersNext: [] }, data: new Uint8Array(1) };

/** The same state with its entries in one array, as a storage gives them; undefined where their indexes do not follow each other, which there can not be written. */
function packed(state: RestoredState): StoredState | undefined {
  const first = state.entries[0]?.index ?? 1;
  if (state.entries.some(({ index }, at) => index !== first + at)) return undefined;
  const entries = new PackedEntries(first, 1);
  const source = concatBytes(...state.entries.map(({ data }) => data));
  entries.begin(source, state.entries.length);
  let end = 0;
  for (const { term, kind, time, data } of state.entries) {
    end += data.length;
    entries.push({ term, kind, time, start: end - data.length, end });
  }
  return { ...state, entries };
}

describe("restoring", () => {
  test("[RF110] what cannot be right is refused, naming the record; nothing is clamped", () => {
    const [one, two, three, four] = GOOD.entries as [RestoredState["entries"][number], RestoredState["entries"][number], RestoredState["entries"][number], RestoredState["entries"][number]];
    const broken: [RestoredState, record: string][] = [
      [{ ...GOOD, hardState: { ...GOOD.hardState, term: -1 } }, "hard-state"],
      [{ ...GOOD, hardState: { ...GOOD.hardState, term: Number.NaN } }, "hard-state"],
      [{ ...GOOD, hardState: { ...GOOD.hardState, commit: 99 } }, "hard-state"],
      [{ ...GOOD, hardState: { ...GOOD.hardState, vote: "" as typeof A } }, "hard-state"],
      [{ ...BLANK_STATE, hardState: { term: 0, vote: A, commit: 0 } }, "hard-state"],
      [{ ...GOOD, hardState: { ...GOOD.hardState, term: 2 } }, "entry 4"],
      [{ ...GOOD, entries: [one, three, four] }, "entry 2"],
      [{ ...GOOD, entries: [two, three, four] }, "entry 1"],
      [{ ...GOOD, entries: [one, { ...two, term: 3 }, three, four] }, "entry 3"],
      [{ ...GOOD, entries: [one, { ...two, time: 9 }, three, four] }, "entry 3"],
      [{ ...GOOD, entries: [one, { ...two, kind: 2 }, three, four] }, "entry 2"],
      [{ ...GOOD, entries: [one, { ...two, kind: 7 as 1 }, three, four] }, "entry 2"],
      [{ ...GOOD, entries: [{ ...one, kind: 1 }, two, three, four] }, "entry 1"],
      [{ ...GOOD, entries: [four], snapshot: { ...SNAPSHOT, term: 4 } }, "snapshot"],
      [{ ...GOOD, entries: [four], snapshot: { ...SNAPSHOT, index: 0 } }, "snapshot"],
      [{ ...GOOD, entries: [four], snapshot: { ...SNAPSHOT, membership: { ...SNAPSHOT.membership, voters: [] } } }, "snapshot"],
      [{ ...GOOD, entries: [three, four], snapshot: SNAPSHOT }, "entry 4"],
    ];
    const all = broken.flatMap(([state, record]) => [[state, record] as const, [packed(state), record] as const]);
    for (const [state, record] of all) {
      if (state === undefined) continue;
      let caught: unknown;
      try {
        start(state);
      } catch (error) {
        caught = error;
      }
      expect(hasCode(caught, "corrupt-state")).toBe(true);
      expect(caught instanceof CorruptStateError && caught.record).toBe(record);
    }
    expect(start(GOOD).lastIndex).toBe(4);
    expect(start({ ...GOOD, entries: [four], snapshot: SNAPSHOT }).lastIndex).toBe(4);
    expect(start(packed(GOOD)!).lastIndex).toBe(4);
    expect(start(packed({ ...GOOD, entries: [four], snapshot: SNAPSHOT })!).lastIndex).toBe(4);
  });

  test("[RF111] founders with the same voters have the same first entry, whatever order they list them in", () => {
    expect(bootstrapState(A, [A, B, C]).entries).toEqual(bootstrapState(C, [C, B, A]).entries);
    const { term, role, membership, commitIndex } = start(bootstrapState(A, [B, A]));
    expect({ term, role, commitIndex, voters: membership.voters }).toEqual({ term: 1, role: "follower", commitIndex: 1, voters: [A, B] });
    expect(() => bootstrapState(A, [B, C])).toThrow(/among/);
    expect(() => bootstrapState(A, [])).toThrow(/distinct/);
    expect(() => bootstrapState(A, [A, A])).toThrow(/distinct/);
  });

  test("[RF112] a blank node is a learner that knows nobody", () => {
    const raft = start(BLANK_STATE);
    for (let i = 0; i < 1000; i += 1) raft.tick();
    expect([raft.role, raft.term, raft.leader, raft.hasWork()]).toEqual(["learner", 0, undefined, false]);
  });

  test("[RF113] the same inputs give the same work, and an option that can not work in ticks is refused", () => {
    const run = (): string => {
      const raft = start(bootstrapState(A, [A]));
      const log: unknown[] = [];
      for (let i = 0; i < 50; i += 1) {
        raft.tick();
        raft.propose([new Uint8Array([i])]);
        while (raft.hasWork()) {
          const work = raft.takeWork();
          log.push(work);
          if (work.write !== undefined) raft.writeDone(work.write.id);
        }
      }
      return JSON.stringify(log);
    };
    expect(run()).toBe(run());
    const config = raftConfig({ tickMs: 50, heartbeatMs: 101, electionTimeoutMsMin: 149, electionTimeoutMsMax: 200 }, "lan");
    expect(() => new Raft({ id: A, config, restored: BLANK_STATE, random: seededRandom(1) })).toThrow(/heartbeatMs is 3/);
    expect(() => raftConfig({ heartbeatMs: 200 }, "lan")).toThrow(/heartbeatMs \(200\).*electionTimeoutMsMin \(150\)/);
    expect(() => raftConfig({ inflightMax: 0 })).toThrow(/inflightMax/);
    expect(peerId("x")).toBe("x");
  });
});
