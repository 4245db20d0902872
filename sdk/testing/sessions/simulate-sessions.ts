// One seed, one gathering: people are let loose in a room, then everything heals, everybody is judged, and everything is closed.
import { Violation } from "../sim/violation.ts";
import { Gathering } from "./gathering.ts";
import { judgeHealed } from "./judge.ts";
import { drawGathering, type GatheringPlan } from "./plan.ts";

/** What to run. */
export interface GatheringOptions {
  /** Numbers of happenings to leave out: how a failing run is made smaller. */
  readonly omit?: ReadonlySet<number> | undefined;
  /** A world of one's own instead of the seed's. */
  readonly plan?: GatheringPlan | undefined;
  /** Told in words what happens, with the time in ms. Changes nothing. */
  readonly log?: ((atMs: number, line: string) => void) | undefined;
}

/** What happened in one gathering. */
export interface GatheringReport {
  readonly seed: number;
  /** The broken promise, if any. */
  readonly violation: { readonly rule: string; readonly detail: string; readonly atMs: number } | undefined;
  readonly simulatedMs: number;
  readonly events: number;
  readonly commands: number;
  readonly people: number;
  readonly groups: number;
  /** From the healing until all was well, ms; undefined: a group had lost too many of its voters for ever. */
  readonly healedAfterMs: number | undefined;
  readonly marks: ReadonlyMap<string, number>;
}

/** How often the rules are held against what is shown, ms, besides at every change. */
const STEP_MS = 500;

/** Runs one seed. What breaks a rule is in the report. The same seed gives the same run. */
export async function simulateGathering(seed: number, options: GatheringOptions = {}): Promise<GatheringReport> {
  const plan = options.plan ?? drawGathering(seed);
  const gathering = new Gathering(plan);
  gathering.log = options.log;
  const { clock, observer } = gathering;
  let violation: GatheringReport["violation"];
  let healedAfterMs: number | undefined;
  try {
    await letLoose(gathering, options.omit);
    healedAfterMs = await judgeHealed(gathering);
    await endAll(gathering);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = { rule: error.rule, detail: error.message, atMs: clock.now() };
  }
  const { marks, people } = gathering;
  return { seed, violation, simulatedMs: clock.now(), events: clock.events, commands: observer.commands, people: people.length, groups: observer.groups.size, healedAfterMs, marks };
}

async function letLoose(gathering: Gathering, omit: ReadonlySet<number> | undefined): Promise<void> {
  const { plan, clock, observer } = gathering;
  const goOn = async (until: number): Promise<void> => {
    while (clock.now() < until) {
      await clock.advance(Math.min(STEP_MS, until - clock.now()));
      observer.check();
    }
  };
  for (const happening of plan.happenings) {
    if (omit?.has(happening.number) === true) continue;
    await goOn(happening.atMs);
    gathering.happen(happening);
  }
  await goOn(plan.endMs);
}

/** Everything is closed; a timer that is left after everything had time to end is one too many. */
async function endAll(gathering: Gathering): Promise<void> {
  const { clock, people, observer } = gathering;
  for (const person of people) {
    person.stays = false;
    gathering.end(person, (tab) => tab.close());
  }
  await clock.advance(60_000);
  observer.check();
  if (clock.pendingTimers > 0) throw new Violation("leak", `${clock.pendingTimers} timers are left`);
}
