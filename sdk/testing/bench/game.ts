// What the game layer costs: a move until it shows, a replay, a rollback, and whether any of it grows with the match.
import { splash, type Splash, type Stroke } from "../../../demo/examples/splash.ts";
import { ticTacToe, type Action, type TicTacToe } from "../../../demo/tic-tac-toe.ts";
import { peerId } from "../../base/index.ts";
import { replay, SpeculativeSequencer, TurnSequencer, type DefinedGame, type RecordedTurn, type Recording } from "../../game/index.ts";
import { BenchLog } from "./bench-log.ts";
import { fixed, median, table, whole } from "./measure.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 7);
const PENDING = 32;
const REPLAYED = 10_000;
const LENGTHS = [100, 1_000, 10_000, 100_000];

interface Seat<State, Action> {
  readonly log: BenchLog;
  readonly sequencer: SpeculativeSequencer<State, Action>;
}

/** Whoever acts holds the seat that is asked for: one tab plays every side. */
function sit<State, Action>(game: DefinedGame<State, Action>, player: () => number): Seat<State, Action> {
  const log = new BenchLog();
  const turns = new TurnSequencer<Action>({ log, actions: game.actions, playerOf: (proposer) => (proposer === log.id ? player() : 1) });
  return { log, sequencer: new SpeculativeSequencer({ sequencer: turns, game, seats: 2, player }) };
}

/** The next action of an endless match: nine marks that end in a draw, then a rematch. */
const DRAW = [0, 1, 2, 4, 3, 5, 7, 6, 8];
const actionAt = (move: number): Action => (move % 10 === 9 ? { type: "rematch" } : { type: "mark", cell: DRAW[move % 10] ?? 0 });
const seatOf = (state: TicTacToe): number => state.turn ?? 0;

/** Plays one move after the other; microseconds of each until it shows, and until it is committed. */
async function play(seat: Seat<TicTacToe, Action>, from: number, moves: number): Promise<{ readonly shown: number[]; readonly committed: number[] }> {
  const shown: number[] = [];
  const committed: number[] = [];
  for (let move = from; move < from + moves; move += 1) {
    const before = seat.sequencer.speculativeState;
    const start = performance.now();
    const outcome = seat.sequencer.propose(actionAt(move));
    const middle = performance.now();
    if (seat.sequencer.speculativeState === before) throw new Error(`move ${move} does not show`);
    seat.log.commit();
    shown.push((middle - start) * 1_000);
    committed.push((performance.now() - middle) * 1_000);
    if ((await outcome).outcome !== "committed") throw new Error(`move ${move} was not committed`);
  }
  return { shown, committed };
}

const at = (values: readonly number[], part: number): number => [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))] ?? Number.NaN;

async function moves(): Promise<string[][]> {
  const rounds: { readonly shown: number[]; readonly committed: number[] }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const own: { seat?: Seat<TicTacToe, Action> } = {};
    const seat = (own.seat = sit(ticTacToe, () => (own.seat === undefined ? 0 : seatOf(own.seat.sequencer.confirmedState))));
    const measured = await play(seat, 0, 5_000);
    if (round > 0) rounds.push(measured);
  }
  const line = (name: string, of: (round: { readonly shown: number[]; readonly committed: number[] }) => number[], budget: string): string[] => [name, fixed(median(rounds.map((round) => at(of(round), 0.5))), 1), fixed(median(rounds.map((round) => at(of(round), 0.99))), 1), budget];
  return [line("propose until it shows, µs", ({ shown }) => shown, "50"), line("commit of an own move, µs", ({ committed }) => committed, "")];
}

function recording(): Recording {
  const turns: RecordedTurn[] = [];
  let state = ticTacToe.setup({ seats: 2 });
  for (let move = 0; move < REPLAYED; move += 1) {
    const action = actionAt(move);
    const player = seatOf(state);
    const context = { player, seats: 2, index: move + 1, time: move, random: { uint32: () => 0 } };
    state = ticTacToe.apply(state, action, context);
    turns.push({ index: move + 1, time: move, player, proposer: peerId("a"), dedupKey: { clientId: "a", requestId: move + 1 }, duplicate: false, payload: ticTacToe.actions.encode(action) });
  }
  return { rules: ticTacToe.rules, seats: 2, start: { index: 0, section: undefined }, turns };
}

/** By processor time: a replay takes long enough for a busy machine to spoil it. */
function replays(): string[] {
  const recorded = recording();
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const start = process.cpuUsage();
    const { count, reason } = replay(ticTacToe, recorded);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1_000_000;
    if (count !== REPLAYED || reason !== undefined) throw new Error("the replay is not the match");
    if (round > 0) rates.push(REPLAYED / seconds);
  }
  return [`replay of ${whole(REPLAYED)} actions, per second`, whole(median(rates)), whole(Math.min(...rates)), "200 000"];
}

/** How often the system took the processor away from this process. What happened meanwhile is no cost of ours: it is counted, and left out. */
const interruptions = (): number => process.resourceUsage().involuntaryContextSwitches;

/** A foreign move comes in under 32 own ones, all of which have to be played again. Collections of garbage count, where they do not wait for the system. */
function rollbacks(): string[] {
  const times: number[] = [];
  let interrupted = 0;
  for (let round = 0; times.length < ROUNDS * 100; round += 1) {
    const { log, sequencer } = sit<Splash, Stroke>(splash, () => 0);
    for (let cell = 0; cell < PENDING; cell += 1) void sequencer.propose({ cell });
    const payload = splash.actions.encode({ cell: 143 });
    const before = interruptions();
    const start = performance.now();
    log.foreign(payload);
    const took = performance.now() - start;
    const isInterrupted = interruptions() > before;
    if (sequencer.pendingCount !== PENDING || sequencer.confirmedState.strokes[1] !== 1) throw new Error("the rollback went wrong");
    sequencer.close();
    if (round < 100) continue;
    if (isInterrupted) interrupted += 1;
    else times.push(took * 1_000);
  }
  return [`rollback with ${PENDING} pending, µs (${interrupted} interrupted, left out)`, fixed(at(times, 0.5), 1), fixed(at(times, 0.99), 1), "1 000"];
}

/** The same 1000 moves at the end of longer and longer matches. */
async function growth(): Promise<string[][]> {
  const own: { seat?: Seat<TicTacToe, Action> } = {};
  const seat = (own.seat = sit(ticTacToe, () => (own.seat === undefined ? 0 : seatOf(own.seat.sequencer.confirmedState))));
  await play(seat, 0, 100);
  let done = 100;
  const rows: string[][] = [];
  for (const length of LENGTHS) {
    await play(seat, done, Math.max(0, length - done));
    done = Math.max(done, length);
    const { shown, committed } = await play(seat, done, 1_000);
    done += 1_000;
    rows.push([whole(length), fixed(at(shown, 0.5), 1), fixed(at(committed, 0.5), 1)]);
  }
  return rows;
}

const measured = [...(await moves()), replays(), rollbacks()];
table(["", "median", "99th of 100 (replay: slowest round)", "budget"], measured);
table(["moves before", "until it shows, µs", "commit, µs"], await growth());
