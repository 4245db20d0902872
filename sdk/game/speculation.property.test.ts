// Whatever happens in whatever order: confirmed is the committed log, and what is shown is the survivors on top of it.
import fc from "fast-check";
import { expect, test } from "vitest";
import { peerId, SdkError, toHex } from "../base/index.ts";
import { tipOfContribution, type DiceState } from "./fair-dice.ts";
import type { Game } from "./game.ts";
import { encodeGameSection } from "./game-section.ts";
import { createJudge } from "./judge.ts";
import type { Outcome } from "./outcome.ts";
import type { DedupKey } from "../replica/index.ts";
import { CONTRIBUTION_BYTES, encodeSystemCommand, systemCommandOf, type SystemCommand } from "./system-command.ts";
import { sameKey } from "./turn.ts";
import { counterRules, fairCounterRules, NOT_AN_ACTION, openTable, SEATS, settle, timeout, type CounterAction, type CounterState, type Table } from "./test-fixtures.ts";

type Op =
  | { readonly op: "propose" | "foreign"; readonly action: CounterAction }
  | { readonly op: "commit" | "swallow" | "refuse" | "time-out" | "duplicate"; readonly pick: number }
  | { readonly op: "reload"; readonly seen: number }
  /** Logged time goes on, with or without an entry of the table's own. */
  | { readonly op: "later" | "tick"; readonly ms: number }
  /** A seat promises its next contribution, or shows it; `isWrong` shows something else. */
  | { readonly op: "promise"; readonly seat: 0 | 1 }
  | { readonly op: "show"; readonly seat: 0 | 1; readonly isWrong: boolean }
  | { readonly op: "install" | "garbage" | "stranger" | "skip" | "settle" | "roll-on" };

/** What the game asks for besides its players' actions. */
type Kind = "nothing" | "seeded numbers" | "a clock and dice";

const action = (dice: boolean): fc.Arbitrary<CounterAction> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -6, max: 6 }).map((by): CounterAction => ({ type: "add", by })) },
    { weight: 1, arbitrary: fc.constant<CounterAction>({ type: "pass" }) },
    { weight: dice ? 3 : 0, arbitrary: fc.constantFrom<CounterAction>({ type: "roll" }, { type: "stamp" }) },
  );
const happening: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("later" as const, "tick" as const), fc.integer({ min: 1, max: 600 })).map(([op, ms]): Op => ({ op, ms })) },
  { weight: 2, arbitrary: fc.constantFrom(0 as const, 1 as const).map((seat): Op => ({ op: "promise", seat })) },
  { weight: 5, arbitrary: fc.constant<Op>({ op: "roll-on" }) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.nat({ max: 7 })).map(([seat, wrong]): Op => ({ op: "show", seat, isWrong: wrong === 0 })) },
);
const ops = (kind: Kind): fc.Arbitrary<Op[]> =>
  fc.array(
    fc.oneof(
      { weight: 6, arbitrary: action(kind !== "nothing").map((each): Op => ({ op: "propose", action: each })) },
      { weight: 4, arbitrary: action(kind !== "nothing").map((each): Op => ({ op: "foreign", action: each })) },
      { weight: 4, arbitrary: fc.nat().map((pick): Op => ({ op: "commit", pick })) },
      { weight: 3, arbitrary: fc.tuple(fc.constantFrom("swallow" as const, "refuse" as const, "time-out" as const, "duplicate" as const), fc.nat()).map(([op, pick]): Op => ({ op, pick })) },
      { weight: 1, arbitrary: fc.nat({ max: 7 }).map((seen): Op => ({ op: "reload", seen })) },
      { weight: 3, arbitrary: fc.constantFrom<Op>({ op: "install" }, { op: "garbage" }, { op: "stranger" }, { op: "skip" }, { op: "settle" }) },
      { weight: kind === "a clock and dice" ? 18 : 0, arbitrary: happening },
    ),
    { maxLength: 60, size: "max" },
  );

interface Own {
  readonly key: DedupKey;
  fate: "open" | "committed" | "refused";
  isLegal: boolean | undefined;
  outcome: Outcome | undefined;
  index?: number;
  isEverUnknown: boolean;
  /** An earlier incarnation proposed it. */
  isResumed: boolean;
}

/** The verdict, however late; one that ends with its incarnation is told by the next. */
function hearOut(own: Own, outcome: Promise<Outcome>): void {
  const note = (result: Outcome): void => void (own.outcome = result);
  outcome.then(note, (error: { settled: Promise<Outcome> }) => error.settled.then(note, () => {}));
}

/** The whole log folded by itself, and what was promised to whom. */
class Oracle {
  readonly rules: Game<CounterState, CounterAction>;
  table: Table<CounterState, CounterAction>;
  readonly owns: Own[] = [];
  state: CounterState;
  count = 0;
  index = 0;
  time = 0;
  readonly seen = { timeouts: 0, rolls: 0, missing: 0, waiting: 0, refused: 0, rebased: 0 };
  readonly #promised = new Map<string, Uint8Array>();
  readonly committed: { readonly key: DedupKey; readonly payload: Uint8Array }[] = [];

  constructor(kind: Kind) {
    // The fair counter's state is the counter's with more in it; here nobody looks at the rest but through the game.
    this.rules = kind === "a clock and dice" ? (fairCounterRules as unknown as Game<CounterState, CounterAction>) : counterRules;
    this.table = openTable(this.rules);
    this.state = this.table.game.setup({ seats: 2 });
  }

  get dice(): DiceState | undefined {
    return this.table.game.dice?.read(this.state);
  }

  async run(step: Op): Promise<void> {
    const { log, foreign, game } = this.table;
    switch (step.op) {
      case "propose": return this.#propose(step.action);
      case "foreign": foreign(step.action); return this.#take({ key: undefined, payload: game.actions.encode(step.action), seat: SEATS["other"] });
      case "garbage": log.append({ payload: NOT_AN_ACTION }); return this.#take({ key: undefined, payload: NOT_AN_ACTION, seat: SEATS["other"] });
      case "stranger": foreign({ type: "add", by: 1 }, { proposer: "nobody" as never }); return this.#take({ key: undefined, payload: game.actions.encode({ type: "add", by: 1 }), seat: undefined });
      case "duplicate": return this.#duplicate(step.pick);
      case "commit": return this.#commit(step.pick);
      case "swallow": return this.#swallow(step.pick);
      case "refuse": return this.#refuse(step.pick);
      case "time-out": return this.#timeOut(step.pick);
      case "reload": return this.#reload(step.seen);
      case "install": return this.#install();
      case "later": log.time += step.ms; return undefined;
      case "tick": log.time += step.ms; return this.#system({ type: "tick" }, 1);
      case "promise": return this.#promise(step.seat);
      case "show": return this.#show(step.seat, step.isWrong);
      case "roll-on": for (const seat of [0, 1] as const) this.#promiseAndShow(seat); return undefined;
      case "skip": log.skip(2); this.index += 2; return undefined;
      case "settle": log.catchUp(); return settle();
    }
  }

  /** Everything open is committed, so that every promise has its answer. */
  async finish(): Promise<void> {
    this.table.log.catchUp();
    for (const own of this.owns) if (own.fate === "open") this.#commitOwn(own);
    await settle();
  }

  /** What a hand does by itself. */
  #promiseAndShow(seat: 0 | 1): void {
    if (typeof this.dice?.hands[seat]?.tip !== "string") this.#promise(seat);
    if (this.dice?.open?.phase === "revealing") this.#show(seat, false);
  }

  #promise(seat: 0 | 1): void {
    const value = new Uint8Array(CONTRIBUTION_BYTES).fill(this.#promised.size);
    const tip = tipOfContribution(seat, value);
    this.#promised.set(toHex(tip), value);
    this.#system({ type: "commit", tip }, seat);
  }

  #show(seat: 0 | 1, isWrong: boolean): void {
    const tip = this.dice?.hands[seat]?.tip;
    const value = typeof tip === "string" && !isWrong ? this.#promised.get(tip) : undefined;
    // What was shown before is the next promise: a chain of one ends here.
    this.#system({ type: "reveal", value: value ?? new Uint8Array(CONTRIBUTION_BYTES).fill(255) }, seat);
  }

  #system(command: SystemCommand, seat: 0 | 1): void {
    const payload = encodeSystemCommand(command);
    // Not under a key of this peer's: what a tab says about dice and time is no action of its own.
    this.table.log.append({ payload, proposer: peerId(seat === 0 ? "self" : "other"), key: { clientId: "the table", requestId: this.index + 1 } });
    this.#take({ key: { clientId: "the table", requestId: this.index + 1 }, payload, seat });
  }

  #count(before: CounterState, reason: string | undefined): void {
    const dice = this.table.game.dice;
    if (dice === undefined) return;
    const late = ({ trail }: CounterState): number => trail.filter((word) => word.startsWith("late")).length;
    this.seen.timeouts += late(this.state) - late(before);
    const [old, now] = [dice.read(before), dice.read(this.state)];
    this.seen.rolls += now.rolls - old.rolls;
    if (now.rolls > old.rolls && now.hands.some(({ isAbsent }, seat) => isAbsent && old.hands[seat]?.isAbsent === false)) this.seen.missing += 1;
    if (old.waiting === null && now.waiting !== null) this.seen.waiting += 1;
    if (reason === "dice-rolling") this.seen.refused += 1;
  }

  #take({ key, payload, seat }: { readonly key: DedupKey | undefined; readonly payload: Uint8Array; readonly seat: number | undefined }): void {
    const { game, log } = this.table;
    this.index += 1;
    this.count += 1;
    this.time = log.time;
    const before = this.state;
    const dedupKey = key ?? this.table.log.lastForeignKey!;
    const system = systemCommandOf(game.actions, payload);
    let decoded: CounterAction | undefined;
    try {
      decoded = system === undefined ? game.actions.decode(payload) : undefined;
    } catch {
      decoded = undefined;
    }
    const verdict = createJudge(game, 2)(this.state, { action: decoded, system, player: seat, index: this.index, time: log.time, dedupKey });
    this.state = verdict.state;
    this.#count(before, verdict.reason);
    this.committed.push({ key: dedupKey, payload });
    const own = this.owns.find((each) => key !== undefined && sameKey(each.key, key));
    if (own !== undefined) {
      own.fate = "committed";
      own.isLegal = verdict.reason === undefined;
      own.index = this.index;
    }
    expect(log.appliedIndex).toBe(this.index);
  }

  #propose(each: CounterAction): void {
    const { log, speculative } = this.table;
    const before = log.proposals.length;
    const outcome = speculative.propose(each);
    const proposal = log.proposals[before];
    if (proposal === undefined) return;
    const own: Own = { key: proposal.key, fate: "open", isLegal: undefined, outcome: undefined, isEverUnknown: false, isResumed: false };
    this.owns.push(own);
    hearOut(own, outcome);
  }

  /** The tab dies, and comes back with what was in flight; every `seen`th of what was committed lies in its outbox, too. */
  async #reload(seen: number): Promise<void> {
    const { log, speculative } = this.table;
    speculative.close();
    const left = this.owns.filter(({ fate }, at) => fate === "open" || (fate === "committed" && seen > 0 && at % seen === 0));
    const proposals = log.proposals.length;
    const resumed = left.map((own) => {
      own.isResumed = true;
      return log.resume(log.proposals.find(({ key }) => sameKey(key, own.key))!);
    });
    // The log knows of those it holds, wherever they stand.
    for (const own of left) if (own.fate === "committed") log.tell(own.key, own.index ?? this.index);
    log.isBehind = seen % 2 === 1;
    this.table = openTable(this.rules, { log, resumed });
    expect(this.table.speculative.resumed.map(({ dedupKey }) => dedupKey)).toEqual(left.map(({ key }) => key));
    for (const [at, { outcome }] of this.table.speculative.resumed.entries()) hearOut(left[at]!, outcome);
    expect(log.proposals.length).toBe(proposals);
    const before = this.table.speculative.pending.map(({ dedupKey }) => dedupKey.requestId);
    expect(before).toEqual([...before].sort((a, b) => a - b));
    await settle();
    for (const { dedupKey } of this.table.speculative.pending) expect(this.owns.find(({ key }) => sameKey(key, dedupKey))!.fate).toBe("open");
    this.#checkResumed();
  }

  /** Everything open is shown that is legal in its turn. What dice show depends on where it will stand, so there nothing is foretold. */
  #checkResumed(): void {
    const { game, log, speculative } = this.table;
    const open = this.owns.filter(({ fate }) => fate === "open").map(({ key }) => ({ key, action: game.actions.decode(log.proposals.find((each) => sameKey(each.key, key))!.payload) }));
    if (game.dice !== undefined || open.some(({ action: { type } }) => type === "roll")) return;
    let shown = this.state;
    const legal = open.filter(({ key, action: each }) => {
      const verdict = createJudge(game, 2)(shown, { action: each, player: 0, index: 0, time: 0, dedupKey: key });
      shown = verdict.state;
      return verdict.reason === undefined;
    });
    expect(speculative.pending.map(({ dedupKey }) => dedupKey)).toEqual(legal.map(({ key }) => key));
  }

  #open(pick: number): Own | undefined {
    const open = this.owns.filter(({ fate }) => fate === "open");
    return open[pick % Math.max(1, open.length)];
  }

  #commit(pick: number): void {
    const own = this.#open(pick);
    if (own !== undefined) this.#commitOwn(own);
  }

  #commitOwn(own: Own): void {
    const { log } = this.table;
    const at = log.proposals.findIndex(({ key }) => sameKey(key, own.key));
    log.commit(at);
    this.#take({ key: own.key, payload: log.proposals[at]!.payload, seat: 0 });
  }

  /** Committed, but this peer will only see the snapshot. */
  #swallow(pick: number): void {
    const own = this.#open(pick);
    if (own === undefined) return;
    const { log } = this.table;
    const proposal = log.proposals.find(({ key }) => sameKey(key, own.key))!;
    log.skip(1);
    this.#take({ key: own.key, payload: proposal.payload, seat: 0 });
    const { index } = this;
    this.#install();
    log.tell(own.key, index);
  }

  #refuse(pick: number): void {
    const own = this.#open(pick);
    if (own === undefined || own.isEverUnknown) return;
    own.fate = "refused";
    for (const each of [...this.table.log.proposals, ...this.table.log.resumed]) if (sameKey(each.key, own.key)) each.reject(new SdkError("busy", "later"));
  }

  #timeOut(pick: number): void {
    const own = this.#open(pick);
    if (own === undefined) return;
    own.isEverUnknown = true;
    for (const each of this.table.log.proposals) if (sameKey(each.key, own.key)) each.reject(timeout());
  }

  #duplicate(pick: number): void {
    const again = this.committed[pick % Math.max(1, this.committed.length)];
    if (again === undefined) return;
    this.table.log.append({ ...again, duplicate: true });
    this.index += 1;
    this.count += 1;
  }

  #install(): void {
    const { log, game } = this.table;
    log.install(this.index, new Map([[1, encodeGameSection(game, { state: this.state, count: this.count, time: this.time })]]));
  }
}

function check(oracle: Oracle, kind: Kind): void {
  const { speculative } = oracle.table;
  expect(speculative.confirmedState).toEqual(oracle.state);
  expect(speculative.confirmedCount).toBe(oracle.count);
  // Open, or decided so recently that the promise has not told yet.
  for (const { dedupKey } of speculative.pending) expect(oracle.owns.some(({ key }) => sameKey(key, dedupKey))).toBe(true);
  if (kind === "nothing") checkShown(oracle, { index: 0, time: 0 });
}

/** Every action that is pending is legal on top of those before it, and all of them on top of what is confirmed are what is shown. */
function checkShown({ table: { game, speculative }, state }: Oracle, point: { readonly index: number; readonly time: number }): void {
  let shown = state;
  speculative.pending.forEach(({ action: each, dedupKey }, at) => {
    const verdict = createJudge(game, 2)(shown, { action: each, player: 0, index: point.index + at + 1, time: point.time, dedupKey });
    expect(verdict.reason).toBeUndefined();
    shown = verdict.state;
  });
  expect(speculative.speculativeState).toEqual(shown);
}

/** What another's entry has changed puts everything pending on top again, at that very point of the log: then index, time and numbers can be foretold. */
const REBASING: readonly Op["op"][] = ["foreign", "tick", "promise", "show"];

async function run(oracle: Oracle, step: Op, kind: Kind): Promise<void> {
  const before = oracle.table.speculative.confirmedState;
  await oracle.run(step);
  check(oracle, kind);
  if (!REBASING.includes(step.op) || oracle.table.speculative.confirmedState === before) return;
  checkShown(oracle, oracle);
  oracle.seen.rebased += oracle.table.speculative.pendingCount;
}

function checkOutcome({ fate, isLegal, outcome }: Own): void {
  if (fate === "refused") expect(outcome).toMatchObject({ outcome: "rejected", reason: "busy" });
  else if (outcome?.outcome === "committed" && !outcome.judged) expect(fate).toBe("committed");
  else expect(outcome?.outcome).toBe(isLegal === true ? "committed" : "rejected");
}

test.each<Kind>(["nothing", "seeded numbers", "a clock and dice"])("[GA54] any interleaving ends in the committed log plus the surviving pending actions (with %s)", { timeout: 120_000 }, async (kind) => {
  let proposed = 0;
  let swallowed = 0;
  let resumed = 0;
  const seen = { timeouts: 0, rolls: 0, missing: 0, waiting: 0, refused: 0, rebased: 0 };
  await fc.assert(
    fc.asyncProperty(ops(kind), async (steps) => {
      const oracle = new Oracle(kind);
      for (const step of steps) await run(oracle, step, kind);
      await oracle.finish();
      check(oracle, kind);
      expect(oracle.table.speculative.pendingCount).toBe(0);
      expect(oracle.table.speculative.speculativeState).toBe(oracle.table.speculative.confirmedState);
      oracle.owns.forEach(checkOutcome);
      proposed += oracle.owns.length;
      resumed += oracle.owns.filter(({ isResumed, fate }) => isResumed && fate === "committed").length;
      swallowed += oracle.owns.filter(({ outcome }) => outcome?.outcome === "committed" && !outcome.judged).length;
      for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += oracle.seen[name];
    }),
    { numRuns: kind === "a clock and dice" ? 300 : 150 },
  );
  // Far below the usual 1200 and 110: a guard against vacuous runs, not a statistic.
  expect(proposed).toBeGreaterThan(300);
  expect(swallowed).toBeGreaterThan(10);
  expect(resumed).toBeGreaterThan(30);
  expect(seen.rebased).toBeGreaterThan(250);
  if (kind !== "a clock and dice") return;
  // Usually 125, 145, 200, 190 and 12.
  const { timeouts, rolls, waiting, refused, missing } = seen;
  for (const often of [timeouts, rolls, waiting, refused]) expect(often).toBeGreaterThan(40);
  expect(missing).toBeGreaterThan(0);
});
