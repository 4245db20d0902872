// The game on one session: seats folded alongside the log, turns in order, speculation on top.
import { silentLogger, type Clock, type Logger, type Random } from "./base/index.ts";
import { isInCharge } from "./open-match-core.ts";
import { exchangeDigests, type DigestTraffic } from "./open-match-digests.ts";
import { DiceHand, GAME_FAULTS, SpeculativeSequencer, Timekeeper, TurnSequencer, type DefinedGame, type DiceSecrets, type GameReport } from "./game/index.ts";
import { RosterWalk, seatOf, type GameSession } from "./session/index.ts";

/** Entries between two snapshots: a latecomer replays at most this many, and the log stays small. */
const SNAPSHOT_EVERY = 1_000;
/** Actions between two digests: an encoding and a hash of the state are cheap once per so many moves, and nobody plays on for long beside the others. */
const DIGEST_EVERY = 50;

export interface RunOptions<State, Action> {
  readonly session: GameSession;
  readonly game: DefinedGame<State, Action>;
  readonly seats: number;
  readonly development: boolean | "rollback" | undefined;
  readonly onReport: ((report: GameReport) => void) | undefined;
  readonly logger: Logger | undefined;
  readonly clock: Clock;
  /** What entries are stamped with while this tab leads. */
  readonly wallClock: () => number;
  /** Unpredictable: dice are made of it. */
  readonly random: Random;
  /** Where this player's secret of the dice outlives the tab. */
  readonly secrets: DiceSecrets | undefined;
  /** How peers compare their states; development compares after every action. */
  readonly digests: Pick<DigestTraffic, "channel" | "onDivergences">;
}

/** Follows the session's log from now until its `close`. */
export function runGame<State, Action>(options: RunOptions<State, Action>): SpeculativeSequencer<State, Action> {
  const { session, game, seats, development, digests, logger = silentLogger } = options;
  const walk = new RosterWalk();
  const sequencer = new TurnSequencer<Action>({ log: session.node, actions: game.actions, playerOf: walk.playerOf, observe: walk.observe, isBeginning: walk.isBeginning });
  const onReport = options.onReport ?? reportTo(logger);
  const speculative = new SpeculativeSequencer({
    sequencer, game, seats, development, onReport,
    player: () => seatOf(session.roster, session.selfId),
    snapshotEvery: SNAPSHOT_EVERY,
    resumed: session.node.resumed,
    rulesOfLog: () => walk.roster.rules,
    digestEvery: development === true || development === "rollback" ? 1 : DIGEST_EVERY,
    onDigest: exchangeDigests(session, { ...digests, onReport }),
  });
  attend(options, sequencer, speculative);
  return speculative;
}

/** What is wrong with the game itself somebody must look at; the rest is part of any match. */
export function reportTo(logger: Logger): (report: GameReport) => void {
  return (report) => (GAME_FAULTS.includes(report.kind) ? logger.error(report.message, report) : logger.info(report.message, report));
}

/** What a game with a clock or dice needs besides its players: somebody who keeps the time, and this player's contributions. Ends with the sequencer. */
function attend<State, Action>(options: RunOptions<State, Action>, sequencer: TurnSequencer<Action>, speculative: SpeculativeSequencer<State, Action>): void {
  const { session, game, clock, wallClock, random, secrets } = options;
  if (speculative.failure !== undefined || (game.clock === undefined && game.dice === undefined)) return;
  const keeper = new Timekeeper({ game, sequencer, speculative, clock, wallClock, isLeading: () => isInCharge(session) });
  const hand = game.dice === undefined ? undefined : new DiceHand({ game, sequencer, speculative, clock, random, secrets, player: () => seatOf(session.roster, session.selfId) });
  const off = session.on("change", () => {
    keeper.look();
    hand?.look();
  });
  speculative.on("closed", off);
}
