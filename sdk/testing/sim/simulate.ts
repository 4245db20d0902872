// One seed, one run: the world is drawn, disturbed, healed and judged. Free of clocks, timers and I/O, so that Node and browsers agree.
import { SimClient } from "./clients.ts";
import { stream, STREAM } from "./draw.ts";
import type { EngineKind } from "./engine.ts";
import { Faults } from "./faults.ts";
import { Keeper } from "./keeper.ts";
import { checkRegister } from "./linearizability.ts";
import type { NetworkCounts } from "./network.ts";
import { Phases, type Healing } from "./phases.ts";
import { drawFaults, drawPlan, type SimPlan } from "./plan.ts";
import { defaultEngine } from "./engines.ts";
import { demand, Violation } from "./violation.ts";
import { SimWorld } from "./world.ts";

const MS = 1_000;

/** What to run and for how long. */
export interface SimOptions {
  /** Simulated time, ms; healing may take longer. Default 60 000. */
  readonly durationMs?: number | undefined;
  /** What is judged. Default: the whole replica engine. */
  readonly engine?: EngineKind | undefined;
  /** Numbers of planned faults to leave out: how a failing run is made smaller. */
  readonly omit?: ReadonlySet<number> | undefined;
  /** Told in words what happens, with the time in ms. Changes nothing. */
  readonly log?: ((atMs: number, line: string) => void) | undefined;
}

/** What happened. Two runs of one seed and the same options give equal reports. */
export interface SimReport {
  readonly seed: number;
  /** 16 hexadecimal digits over every event of the run. */
  readonly hash: string;
  /** The broken rule, if any: then everything else counts up to that event. */
  readonly violation: { readonly rule: string; readonly detail: string; readonly atMs: number } | undefined;
  readonly simulatedMs: number;
  readonly events: number;
  readonly plan: SimPlan;
  readonly healing: Healing | undefined;
  /** Operations that clients had answered, commands committed, entries in the log. */
  readonly operations: number;
  readonly commands: number;
  readonly entries: number;
  /** Too little happened for this seed to prove anything; why. */
  readonly vacuous: string | undefined;
  readonly marks: ReadonlyMap<string, number>;
  readonly messages: ReadonlyMap<string, number>;
  readonly transitions: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly network: NetworkCounts;
}

/** Runs one seed. Never throws: what breaks a rule is in the report. Cost: about a thousandth of the simulated time. */
export function simulate(seed: number, options: SimOptions = {}): SimReport {
  const plan = drawPlan(seed, (options.durationMs ?? 60_000) * MS);
  const world = new SimWorld(plan, options.engine ?? defaultEngine);
  const { log } = options;
  if (log !== undefined) world.log = (line) => log(world.queue.now / MS, line);
  const random = stream(seed, STREAM.workload);
  const values = { next: 0 };
  const clients = Array.from({ length: plan.workload.clients }, (_, i) => new SimClient(`c${i}`, world, { random, values }));
  let healing: Healing | undefined;
  let violation: SimReport["violation"];
  try {
    healing = runPhases(world, { clients, omit: options.omit });
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = { rule: error.rule, detail: error.message, atMs: world.queue.now / MS };
  }
  noteNetwork(world);
  const { coverage } = world;
  const operations = clients.reduce((sum, client) => sum + client.history.filter(({ returned }) => returned !== undefined).length, 0);
  return {
    seed, hash: world.hash, violation, simulatedMs: world.queue.now / MS, events: world.events, plan, healing, operations,
    commands: world.model.commands.length, entries: world.history.committed, vacuous: whyVacuous(world, operations),
    marks: coverage.marks, messages: coverage.messages, transitions: coverage.transitions, faults: coverage.faults, network: world.network.counts,
  };
}

function runPhases(world: SimWorld, { clients, omit }: { readonly clients: readonly SimClient[]; readonly omit: ReadonlySet<number> | undefined }): Healing {
  const { plan, queue } = world;
  const keeper = new Keeper(world, stream(plan.seed, STREAM.keeper));
  const faults = new Faults(world, keeper);
  for (const peer of world.peers) world.start(peer);
  for (const client of clients) client.start();
  keeper.start();
  faults.schedule(drawFaults(plan).filter(({ number }) => omit?.has(number) !== true));
  while (queue.step(plan.faultsEnd));
  const healing = new Phases(world, { faults, keeper, clients, random: stream(plan.seed, STREAM.keeper + 50) }).run();
  for (const client of clients) client.abandon();
  demand("E1", world.network.counts.storms === 0, () => `${world.network.counts.storms} links carried a storm of messages`);
  judgeHistories(clients, plan.workload.keys);
  return healing;
}

/** C1: what the clients of each key saw can be explained by one register. */
function judgeHistories(clients: readonly SimClient[], keys: number): void {
  for (let key = 0; key < keys; key += 1) {
    const history = clients.flatMap((client) => client.history.filter((operation) => operation.key === key));
    const verdict = checkRegister(history);
    demand("C1", verdict === "legal", () => `the history of key ${key} (${history.length} operations) is ${verdict}`);
  }
}

function noteNetwork({ coverage, network: { counts }, model }: SimWorld): void {
  coverage.hit("frame-duplicated", counts.duplicated);
  coverage.hit("frame-lost", counts.lost);
  coverage.hit("frame-late", counts.late);
  coverage.hit("duplicate-skipped", model.duplicates);
}

/** Commands a run must commit, and operations its clients must have had answered, to count as proof. */
const COMMANDS_MIN = 20;
const OPERATIONS_MIN = 30;

function whyVacuous({ coverage, model, plan }: SimWorld, operations: number): string | undefined {
  if (coverage.count("elected") === 0) return "nobody was ever elected";
  if (model.commands.length < COMMANDS_MIN) return `only ${model.commands.length} commands committed`;
  if (operations < OPERATIONS_MIN) return `only ${operations} operations were answered`;
  const wanted = new Set(plan.faults).size;
  if (coverage.faults.size * 2 < wanted) return `only ${coverage.faults.size} of ${wanted} kinds of faults happened`;
  return undefined;
}
