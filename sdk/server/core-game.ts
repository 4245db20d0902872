// What a core runs beside a room's node when it knows the game: the state, snapshots so that the log stays small, and the time of games that have a clock.
import { silentLogger, type Clock, type Logger } from "../base/index.ts";
import { SpeculativeSequencer, stateDigest, Timekeeper, TurnSequencer, type DefinedGame } from "../game/index.ts";
import { RosterWalk, type GameSession } from "../session/index.ts";
import type { RoomGame, RunInRoom } from "./core-rooms.ts";
import { nodeClock } from "./node-clock.ts";

/** How a core runs a game. */
export interface CoreGameOptions {
  /** Entries between two snapshots. Default 1000. */
  readonly snapshotEvery?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** For {@link CoreOptions.run}: runs `game` in every room that is opened with its rules; in others nothing is run, and their logs are kept whole. */
export function coreGame<State, Action>(game: DefinedGame<State, Action>, options: CoreGameOptions = {}): RunInRoom {
  return (session) => {
    let running: RunningGame<State, Action> | undefined;
    const look = (): void => {
      // What is played, and by how many, is known once the room is opened.
      if (running === undefined && session.roster.seats.length > 0 && session.roster.rules === game.rules) running = new RunningGame(session, game, options);
      running?.look();
    };
    const off = session.on("change", look);
    look();
    return {
      get state() {
        return running?.state;
      },
      stop: () => {
        off();
        running?.stop();
      },
    };
  };
}

class RunningGame<State, Action> implements RoomGame {
  readonly #game: DefinedGame<State, Action>;
  readonly #speculative: SpeculativeSequencer<State, Action>;
  readonly #keeper: Timekeeper<State, Action> | undefined;

  constructor(session: GameSession, game: DefinedGame<State, Action>, { snapshotEvery = 1_000, clock = nodeClock, logger = silentLogger }: CoreGameOptions) {
    this.#game = game;
    const walk = new RosterWalk();
    const sequencer = new TurnSequencer<Action>({ log: session.node, actions: game.actions, playerOf: walk.playerOf, observe: walk.observe, isBeginning: walk.isBeginning });
    const speculative = new SpeculativeSequencer({
      sequencer, game, seats: session.roster.seats.length, player: () => undefined, snapshotEvery, rulesOfLog: () => walk.roster.rules,
      onReport: (report) => (report.kind === "snapshot-failed" ? logger.error(report.message, report.cause) : logger.info(report.message, report)),
    });
    speculative.on("failed", (error) => logger.error(`${session.groupId}: its game is not run here any more`, error));
    this.#speculative = speculative;
    this.#keeper = game.clock === undefined || speculative.failure !== undefined
      ? undefined
      : new Timekeeper({ game, sequencer, speculative, clock, wallClock: () => Date.now(), isLeading: () => session.node.role === "leader" });
  }

  get state(): RoomGame["state"] {
    const { confirmedState, confirmedIndex: index } = this.#speculative;
    return { index, digest: stateDigest(this.#game, confirmedState) };
  }

  look(): void {
    this.#keeper?.look();
  }

  stop(): void {
    this.#speculative.close();
  }
}
