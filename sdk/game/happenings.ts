// What happens in a game without anybody acting: deadlines that pass and rolls of the dice. Decided by the state and the logged time of an entry alone.
import type { Random } from "../base/index.ts";
import { entryRandom, noRandom } from "./action-context.ts";
import { isThenable, textOf, type GameFault } from "./fault.ts";
import { dueOf, promised, ROLL_PATIENCE_MS, shown, stepped, type DiceState } from "./fair-dice.ts";
import type { DefinedGame, EventContext, Seat } from "./game.ts";
import type { SystemCommand } from "./system-command.ts";
import type { Turn } from "./turn.ts";
import { appliedWithRoll, isWaiting } from "./waiting-action.ts";

/** Events at one entry; more wait for the next. A game whose every timeout is due at once would never let go otherwise. */
const EVENTS_MAX = 64;

/** A state after something happened to it. */
export interface Happened<State> {
  readonly state: State;
  readonly fault?: GameFault | undefined;
}

type Entry = Pick<Turn<unknown>, "index" | "time" | "dedupKey">;

interface Occasion {
  readonly seats: number;
  /** On which side of the entry's own action: the random numbers of the two differ. */
  readonly when: "before" | "after";
}

/** Everything that happens by itself by the time of this entry. Never throws; what fails does nothing. */
export function happened<State, Action>(game: DefinedGame<State, Action>, before: State, entry: Entry, { seats, when }: Occasion): Happened<State> {
  let state = before;
  let fault: GameFault | undefined;
  for (let event = 0; event < EVENTS_MAX; event += 1) {
    const context: EventContext = { seats, index: entry.index, time: entry.time, random: new EventRandom(entry, `/${when}/${event}`) };
    try {
      const next = eventOf(game, state, context);
      if (next === undefined) return { state, fault };
      state = next.state;
      fault ??= next.fault;
    } catch (cause) {
      return { state, fault: fault ?? (cause instanceof EventFault ? cause.fault : { kind: "clock-failed", message: `an event of the game failed: ${textOf(cause)}`, cause }) };
    }
  }
  return { state, fault };
}

/** When something happens next by itself if nobody acts, ms since 1970 in logged time; undefined: nothing does. */
export function nextDue<State, Action>({ clock, dice }: DefinedGame<State, Action>, state: State): number | undefined {
  try {
    const deadline = clock === undefined || isWaiting(dice, state) ? undefined : deadlineOf(clock.deadline(state));
    const roll = dice === undefined ? undefined : dueOf(dice.read(state));
    return deadline === undefined || roll === undefined ? (deadline ?? roll) : Math.min(deadline, roll);
  } catch {
    return undefined; // Reported by every peer when an entry is judged.
  }
}

/** The state after a command of the table itself. One that does not fit does nothing: anybody can send anything. */
export function systemApplied<State, Action>({ dice }: DefinedGame<State, Action>, state: State, { player }: Pick<Turn<Action>, "player">, command: SystemCommand): Happened<State> & { readonly reason: string | undefined } {
  // Time has passed: that was seen to already.
  if (command.type === "tick" || dice === undefined) return { state, reason: undefined };
  if (player === undefined) return { state, reason: "not-seated" };
  try {
    const before = dice.read(state);
    const after = command.type === "commit" ? promised(before, player, command.tip) : shown(before, player, command.value);
    return { state: after === before ? state : dice.write(state, after), reason: undefined };
  } catch (cause) {
    return { state, reason: undefined, fault: { kind: "dice-failed", message: `the game's dice could not be read or written: ${textOf(cause)}`, cause } };
  }
}

/** The state after the next thing that happens, or undefined when nothing does. */
function eventOf<State, Action>(game: DefinedGame<State, Action>, state: State, context: EventContext): Happened<State> | undefined {
  return rollOf(game, state, context) ?? timeoutOf(game, state, context);
}

function timeoutOf<State, Action>({ clock, dice }: DefinedGame<State, Action>, state: State, context: EventContext): Happened<State> | undefined {
  // The clock stands still while an action waits for its roll.
  if (clock === undefined || isWaiting(dice, state)) return undefined;
  const at = guarded("clock-failed", "deadline", () => deadlineOf(clock.deadline(state)));
  if (at === undefined || at > context.time) return undefined;
  const after = guarded("clock-failed", "timeout", () => valueOf(clock.timeout(state, dice === undefined ? context : { ...context, random: noRandom })));
  // One that stands still would pass again and again, at every entry.
  if (guarded("clock-failed", "deadline", () => clock.deadline(after)) === at) throw new EventFault({ kind: "clock-failed", message: `timeout leaves its deadline (${at}) standing; it did nothing` });
  return { state: after };
}

function rollOf<State, Action>(game: DefinedGame<State, Action>, state: State, context: EventContext): Happened<State> | undefined {
  const { dice } = game;
  if (dice === undefined) return undefined;
  return guarded("dice-failed", "dice", () => {
    const before: DiceState = dice.read(state);
    const seats: readonly Seat[] = dice.seats?.(state) ?? Array.from({ length: context.seats }, (_, seat) => seat);
    const { waiting } = before;
    const isWanted = waiting !== null || dice.isWanted?.(state) === true;
    const step = stepped(before, context.time, { isWanted, seats, patienceMs: dice.patienceMs ?? ROLL_PATIENCE_MS });
    if (step === before) return undefined;
    if (!("roll" in step)) return { state: valueOf(dice.write(state, step)) };
    const rolled = valueOf(dice.write(state, step.dice));
    if (waiting !== null) return appliedWithRoll(game, rolled, { waiting, step, context });
    return { state: dice.rolled === undefined ? rolled : valueOf(dice.rolled(rolled, step.roll, { ...context, random: step.random })) };
  });
}

function deadlineOf(answer: number | undefined | null): number | undefined {
  if (answer === undefined || answer === null) return undefined;
  if (typeof answer !== "number" || Number.isNaN(answer)) throw new TypeError(`deadline answers a time or undefined, got ${String(answer)}`);
  return answer;
}

function valueOf<State>(state: State): State {
  if (state === undefined) throw new TypeError("it returned undefined (is a return missing?)");
  if (isThenable(state)) throw new TypeError("it returned a promise, and must not be async");
  return state;
}

class EventFault extends Error {
  readonly fault: GameFault;

  constructor(fault: GameFault) {
    super(fault.message);
    this.fault = fault;
  }
}

function guarded<T>(kind: GameFault["kind"], name: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new EventFault({ kind, message: `the game's ${name} failed: ${textOf(cause)}; it did nothing`, cause });
  }
}

/** Seeded when the first number is drawn: most timeouts draw none. */
class EventRandom implements Random {
  readonly #entry: Entry;
  readonly #part: string;
  #random: Random | undefined;

  constructor(entry: Entry, part: string) {
    this.#entry = entry;
    this.#part = part;
  }

  uint32(): number {
    this.#random ??= entryRandom(this.#entry.index, this.#entry.dedupKey, this.#part);
    return this.#random.uint32();
  }
}
