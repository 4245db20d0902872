import { describe, expect, test } from "vitest";
import { raftEngine } from "./engines.ts";
import { ENTRY_COMMAND, isWitness } from "../../raft/index.ts";
import { drawFaults, drawPlan } from "./plan.ts";
import { describeFailure, shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import type { EngineKind, EngineWork, SimEngine } from "./engine.ts";

/** An engine with one thing wrong in what it hands out. */
function tamper(change: (work: EngineWork, engine: SimEngine) => EngineWork): EngineKind {
  return {
    ...raftEngine,
    start: (options) => {
      const engine = raftEngine.start(options);
      const takeWork = engine.takeWork.bind(engine);
      engine.takeWork = (options) => change(takeWork(options), engine);
      return engine;
    },
  };
}

describe("a simulation", () => {
  test("is the same every time, event for event", () => {
    for (const seed of [1, 2, 3]) expect(simulate(seed, { durationMs: 10_000 })).toEqual(simulate(seed, { durationMs: 10_000 }));
  });

  test("does not change when somebody listens", () => {
    const lines: string[] = [];
    const heard = simulate(6, { durationMs: 10_000, log: (atMs, line) => lines.push(`${atMs} ${line}`) });
    expect(heard.hash).toBe(simulate(6, { durationMs: 10_000 }).hash);
    expect(lines.length).toBeGreaterThan(200);
  });

  test("differs from seed to seed", () => {
    expect(new Set([1, 2, 3, 4, 5].map((seed) => simulate(seed, { durationMs: 5_000 }).hash)).size).toBe(5);
  });

  test("has the pinned hashes of 100 seeds; vitest -u pins them anew after a deliberate change of the engine", { timeout: 600_000 }, async () => {
    const hashes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [i + 1, simulate(i + 1, { durationMs: 5_000 }).hash]));
    await expect(`${JSON.stringify(hashes, null, 1)}\n`).toMatchFileSnapshot("./hashes.json");
  });

  test("runs the machine alone as well", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const report = simulate(seed, { engine: raftEngine, durationMs: 20_000 });
      expect(report.violation, describeFailure(report)).toBeUndefined();
    }
  });

  test.each([
    [13_318, "a removed leader had fed the witness what the next leader had not, and nobody could win (RF58)"],
    [19_553, "a learner that did not know of its promotion refused the vote that was needed, for a newer log (RF58)"],
    [45_228, "three voters with three timeouts to draw from split ten elections in a row (RF8)"],
  ])("seed %i breaks no rule any more: %s", (seed) => {
    const report = simulate(seed);
    expect(report.violation, describeFailure(report)).toBeUndefined();
  });

  test("leaves the other faults as they are when one is left out", () => {
    const faults = drawFaults(drawPlan(8, 60_000_000));
    expect(faults.length).toBeGreaterThan(5);
    expect(faults.map(({ number }) => number)).toEqual(faults.map((_, i) => i));
    expect(drawFaults(drawPlan(8, 60_000_000))).toEqual(faults);
  });
});

describe("a broken engine is found out", () => {
  test("when it acknowledges an entry it does not hold", () => {
    const engine = tamper((work) => ({
      ...work,
      frames: work.frames.map((frame) => ({ ...frame, messages: frame.messages.map((message) => (message.type === "append-reply" && message.ok ? { ...message, index: message.index + 1 } : message)) })),
    }));
    expect(simulate(4, { engine, durationMs: 5_000 }).violation?.rule).toBe("I13");
  });

  test("when it applies a command twice", () => {
    const engine = tamper((work) => ({ ...work, applied: [...work.applied, ...work.applied.slice(-1)] }));
    expect(simulate(4, { engine, durationMs: 5_000 }).violation?.rule).toMatch(/I1[12]/);
  });

  test("when it throws at a frame", () => {
    const engine: EngineKind = { ...raftEngine, start: (options) => Object.assign(raftEngine.start(options), { receive: () => { throw new Error("no"); } }) };
    expect(simulate(4, { engine, durationMs: 5_000 }).violation?.rule).toBe("T1");
  });

  test("when it says nothing for ever, because a healed group makes no progress", () => {
    const engine = tamper((work) => ({ ...work, frames: [] }));
    expect(simulate(4, { engine, durationMs: 5_000 }).violation?.rule).toBe("L1");
  });

  test("when bytes of a command go to a witness", () => {
    const engine = tamper((work) => ({
      ...work,
      frames: work.frames.map((frame) => ({ ...frame, messages: frame.messages.map((message) => (message.type === "append" ? { ...message, entries: message.entries.map((entry) => ({ ...entry, kind: ENTRY_COMMAND, data: Uint8Array.of(1) })) } : message)) })),
    }));
    expect(drawPlan(1, 5_000_000).witness).toBe(true);
    expect(simulate(1, { engine, durationMs: 5_000 }).violation?.rule).toMatch(/W1|I3/);
  });

  test("when a witness campaigns, or acknowledges what it does not hold", () => {
    const campaigns = tamper((work, { machine }) => (isWitness(machine.id) ? { ...work, frames: work.frames.map((frame) => ({ ...frame, messages: [{ type: "pre-vote", term: machine.term + 1, lastIndex: 0, lastTerm: 0 }] })) } : work));
    expect(simulate(1, { engine: campaigns, durationMs: 5_000 }).violation?.rule).toBe("W2");
    const early = tamper((work, { machine }) => (isWitness(machine.id) ? { ...work, frames: work.frames.map((frame) => ({ ...frame, messages: frame.messages.map((message) => (message.type === "append-reply" && message.ok ? { ...message, index: message.index + 1 } : message)) })) } : work));
    expect(simulate(1, { engine: early, durationMs: 5_000 }).violation?.rule).toBe("I13");
  });

  test("and the failing run is made smaller and names the command that repeats it", () => {
    const engine = tamper((work, { machine }) => (machine.role === "leader" && machine.term > 3 ? { ...work, frames: [] } : work));
    const seed = [4, 5, 6, 7, 8, 9].find((each) => simulate(each, { engine, durationMs: 20_000 }).violation !== undefined) ?? 0;
    const shrunk = shrink(seed, { engine, durationMs: 20_000 });
    expect(shrunk?.report.violation?.rule).toBe(shrunk?.rule);
    expect(shrunk?.kept.length).toBeLessThan(drawFaults(drawPlan(seed, 20_000_000)).length);
    expect(describeFailure(shrunk!.report, shrunk!.kept)).toContain(`SEED=${seed} KEEP=`);
  });
});
