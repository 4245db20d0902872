// Small games and a ready-made table for the tests of this folder.
import { below, jsonCodec, peerId, SdkError, type PeerId } from "../base/index.ts";
import { defineGame } from "./define-game.ts";
import { fairDice, type DiceState } from "./fair-dice.ts";
import type { DefinedGame, Game, Seat } from "./game.ts";
import type { GameReport } from "./report.ts";
import { ScriptedLog } from "./scripted-log.ts";
import { SpeculativeSequencer, type SpeculativeSequencerOptions } from "./speculative-sequencer.ts";
import { TurnSequencer } from "./turn-sequencer.ts";

/** A sum, the list of who added what, and a ceiling that makes additions illegal. */
export interface CounterState {
  readonly sum: number;
  readonly trail: readonly string[];
}
export type CounterAction =
  | { readonly type: "add"; readonly by: number }
  /** Adds 1 to 6. */
  | { readonly type: "roll" }
  /** Writes the logged time down. */
  | { readonly type: "stamp" }
  /** Legal, and changes nothing. */
  | { readonly type: "pass" };

export const COUNTER_MAX = 10;

export const counterRules: Game<CounterState, CounterAction> = {
  name: "counter",
  setup: () => ({ sum: 0, trail: [] }),
  check: (state, action) => {
    if (typeof action !== "object" || action === null || !("type" in action)) return "not an action";
    if (action.type === "add") return typeof action.by === "number" && state.sum + action.by <= COUNTER_MAX ? undefined : "over the top";
    return action.type === "roll" || action.type === "stamp" || action.type === "pass" ? undefined : "not an action";
  },
  apply: (state, action, context) => {
    const { player } = context;
    if (action.type === "pass") return state;
    if (action.type === "stamp") return { ...state, trail: [...state.trail, `${player}@${context.time}`] };
    const by = action.type === "roll" ? 1 + below(context.random, 6) : action.by;
    return { sum: state.sum + by, trail: [...state.trail, `${player}+${by}`] };
  },
};

/** The counter with a clock that every addition sets, and dice that rolls are drawn from. */
export interface FairCounterState extends CounterState {
  readonly dice: DiceState;
  readonly due: number | null;
}
export const ALLOWANCE_MS = 500;
export const PATIENCE_MS = 300;

export const fairCounterRules: Game<FairCounterState, CounterAction> = {
  name: "fair counter",
  setup: (context) => ({ ...counterRules.setup(context), dice: fairDice(), due: null }),
  check: (state, action, context) => counterRules.check?.(state, action, context),
  apply: (state, action, context) => (action.type === "pass" ? state : { ...state, ...counterRules.apply(state, action, context), due: action.type === "add" ? context.time + ALLOWANCE_MS : state.due }),
  clock: { deadline: ({ due }) => due ?? undefined, timeout: (state, { time }) => ({ ...state, sum: Math.min(state.sum, 0), trail: [...state.trail, `late@${time}`], due: null }) },
  dice: { read: ({ dice }) => dice, write: (state, dice) => ({ ...state, dice }), patienceMs: PATIENCE_MS },
};

/** Without the trail and the ceiling: what commutes. */
export const sumRules: Game<{ readonly sum: number }, { readonly by: number }> = {
  name: "sum",
  setup: () => ({ sum: 0 }),
  check: (_state, action) => (typeof action === "object" && action !== null && typeof action.by === "number" ? undefined : "not an action"),
  apply: (state, { by }) => ({ sum: state.sum + by }),
};

/** Three in a row on nine cells; seat 0 begins. */
export interface LineState {
  readonly cells: readonly (Seat | null)[];
  readonly turn: Seat;
}
export interface LineAction {
  readonly cell: number;
}

export const lineRules: Game<LineState, LineAction> = {
  name: "line",
  setup: () => ({ cells: Array.from({ length: 9 }, () => null), turn: 0 }),
  check: (state, action, { player }) => {
    const cell: unknown = typeof action === "object" && action !== null ? action.cell : undefined;
    if (typeof cell !== "number" || !(cell in state.cells)) return "no such cell";
    if (state.cells[cell] !== null) return "taken";
    return player === state.turn ? undefined : "not your turn";
  },
  apply: (state, { cell }, { player, seats }) => ({ cells: state.cells.map((mark, at) => (at === cell ? player : mark)), turn: (player + 1) % seats }),
};

/** Everything a test of one peer needs. */
export interface Table<State, Action> {
  readonly log: ScriptedLog;
  readonly game: DefinedGame<State, Action>;
  readonly sequencer: TurnSequencer<Action>;
  readonly speculative: SpeculativeSequencer<State, Action>;
  readonly reports: GameReport[];
  /** How often `state` fired. */
  readonly states: State[];
  readonly left: { readonly action: Action; readonly reason: string }[];
  /** Commits another seated peer's action. */
  foreign(action: Action, options?: { readonly proposer?: PeerId; readonly time?: number }): void;
}

/** Seats of the peers that take part in tests. */
export const SEATS: Readonly<Record<string, Seat>> = { self: 0, other: 1, third: 2 };

/** A peer at seat 0 over a scripted log; `other` sits at seat 1. */
export function openTable<State, Action>(rules: Game<State, Action>, options: Partial<SpeculativeSequencerOptions<State, Action>> & { readonly log?: ScriptedLog } = {}): Table<State, Action> {
  const { log = new ScriptedLog(), ...rest } = options;
  const game = defineGame(rules);
  const reports: GameReport[] = [];
  const states: State[] = [];
  const left: { action: Action; reason: string }[] = [];
  const sequencer = new TurnSequencer<Action>({ log, actions: game.actions, playerOf: (proposer) => SEATS[proposer] });
  const speculative = new SpeculativeSequencer<State, Action>({ sequencer, game, seats: 2, player: () => 0, onReport: (report) => void reports.push(report), ...rest });
  speculative.on("state", (state) => void states.push(state));
  speculative.on("left", ({ action }, reason) => void left.push({ action, reason }));
  const foreign: Table<State, Action>["foreign"] = (action, { proposer = peerId("other"), time } = {}) => void log.append({ payload: game.actions.encode(action), proposer, time });
  return { log, game, sequencer, speculative, reports, states, left, foreign };
}

/** Bytes that are JSON, though no action of anything. */
export const NOT_AN_ACTION: Uint8Array = jsonCodec<unknown>().encode("gibberish").subarray(0, 5);

/** A failure that leaves the outcome open. */
export function timeout(): SdkError {
  return new SdkError("proposal-timeout", "not committed in time");
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
