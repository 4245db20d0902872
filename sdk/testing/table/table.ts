// Your own game with any number of players in one process: virtual time, a network that fails on request, tabs that die. Deterministic: the same seed and calls, the same run.
import { openMatch, peerId, seededRandom, type Game, type GameReport, type LogIndex, type MatchOptions, type PeerId } from "../../index.ts";
import { defineGame, GAME_FAULTS, stateDigest, type DefinedGame } from "../../game/index.ts";
import { MemoryHub, type LinkFaults } from "../../seam/index.ts";
import { MemoryByteStore } from "../../storage/index.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { TestPlayer, type PlayerSurroundings } from "./player.ts";

/** How a {@link TestTable} is set. */
export interface TableOptions<State, Action> {
  /** Tabs that come to the table. Default 2. */
  readonly players?: number | undefined;
  /** Default: as many as there are players; the others watch. */
  readonly seats?: number | undefined;
  /** Of everything random. Default 1. */
  readonly seed?: number | undefined;
  /** What every link does to what is sent. Default: 20 ms late. */
  readonly network?: Partial<LinkFaults> | undefined;
  /** Rolls every action back and replays it when it commits, on every player: finds games that are not pure or lose something in their codec. Default true. */
  readonly rollback?: boolean | undefined;
  /** Whatever else `openMatch` takes, for every player. */
  readonly match?: Partial<MatchOptions<State, Action>> | undefined;
}

/** Simulated time after which something that was waited for has failed, ms. */
const PATIENCE_MS = 180_000;
/** Turned at a time: events between two looks are fired in order all the same. */
const STEP_MS = 10;
/** How long the others get to hear of a move. */
const SPREADING_MS = 1_000;
/** A leader looks once a second whom to give a vote. */
const ARRANGING_MS = 3_000;
/** 2023-11-14: logged times look like times. */
const EPOCH_MS = 1_700_000_000_000;

/** A running table. */
export class TestTable<State, Action> implements PlayerSurroundings<State, Action> {
  readonly clock: VirtualClock = new VirtualClock();
  /** The network, for everything the methods here do not do: `block`, `setLink`, counters. */
  readonly hub: MemoryHub;
  readonly players: readonly TestPlayer<State, Action>[];
  readonly game: DefinedGame<State, Action>;
  readonly #options: TableOptions<State, Action>;
  #tabs = 0;

  constructor(game: Game<State, Action>, options: TableOptions<State, Action> = {}) {
    const { players = 2, seed = 1, network = { delayMs: 20 } } = options;
    this.game = defineGame(game);
    this.#options = options;
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(seed), faults: network });
    this.players = Array.from({ length: players }, (_, at) => new TestPlayer<State, Action>(peerId(`player-${at}`), this));
  }

  /** The player at this place. */
  player(at: number): TestPlayer<State, Action> {
    const player = this.players[at];
    if (player === undefined) throw new Error(`this table has ${this.players.length} players, none at ${at}`);
    return player;
  }

  /** Whoever leads among the living. Throws while nobody does: let time pass until somebody does. */
  get leader(): TestPlayer<State, Action> {
    const leader = this.players.find((player) => player.isLeader);
    if (leader === undefined) throw new Error("nobody leads at the moment");
    return leader;
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** Lets time pass until the promise settles. Rejects after three simulated minutes. */
  async get<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    await this.until(() => isSettled, "a promise to settle");
    return promise;
  }

  /** Lets time pass until the condition holds. Rejects after three simulated minutes. */
  async until(condition: () => boolean, what = "a condition to hold"): Promise<void> {
    for (let ms = 0; !condition(); ms += STEP_MS) {
      if (ms > PATIENCE_MS) throw new Error(`waited three minutes for ${what} (seed ${this.#options.seed ?? 1})`);
      await this.clock.advance(STEP_MS);
    }
  }

  /** Silences everything between these groups of players, by their places; who is in none is alone with the others that are in none. Until `heal`. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.hub.partition(...groups.map((group) => group.map((at) => this.player(at).id)));
  }

  /** The network is whole again. */
  heal(): void {
    this.hub.heal();
  }

  /** Changes what the links do: delay, jitter, losses. */
  setNetwork(faults: Partial<LinkFaults>): void {
    this.hub.setFaults(faults);
  }

  /** Lets time pass until nothing of the living players is pending and they all show the same committed state; then checks {@link TestTable.agree}. Throws at once when the game or the log is found at fault. */
  async settled(): Promise<void> {
    await this.until(() => this.#faults().length > 0 || this.#isSettled(), "everybody to come to the same state");
    this.agree();
  }

  /** Lets time pass until every living player knows the log up to this entry, or for a second: a network may keep them apart. */
  async spread(index: LogIndex): Promise<void> {
    const isKnown = (): boolean => this.players.every((player) => !player.isAlive || player.status.commitIndex >= index);
    for (let ms = 0; !isKnown() && ms < SPREADING_MS; ms += STEP_MS) await this.clock.advance(STEP_MS);
  }

  /** Throws unless all living players have the same committed state, and no report says that the game or the log is at fault. */
  agree(): void {
    const [fault] = this.#faults();
    if (fault !== undefined) throw new Error(`${fault} (seed ${this.#options.seed ?? 1})`);
    const digests = this.#digests();
    if (new Set(digests.values()).size > 1) throw new Error(`players have come to different states: ${[...digests].map(([id, digest]) => `${id} ${digest}`).join(", ")} (seed ${this.#options.seed ?? 1})`);
  }

  /** Everybody leaves. Throws when a timer is left running. */
  async close(): Promise<void> {
    await this.get(Promise.all(this.players.filter(({ isAlive }) => isAlive).map(({ match }) => match.leave())));
    await this.clock.advance(120_000);
    if (this.clock.pendingTimers > 0) throw new Error(`${this.clock.pendingTimers} timers are still running after everybody has left`);
  }

  /** Opens a tab for this player, on what the disk held when its last tab ended. */
  async seat(player: TestPlayer<State, Action>, kept: MemoryByteStore | undefined): Promise<void> {
    const { seed = 1, players = 2, seats = players, rollback = true, match: more } = this.#options;
    const disk = new MemoryByteStore();
    // A copy: the tab before lives on in this process, and goes on writing to its own.
    if (kept !== undefined) await disk.write((await kept.readRange("", "\uffff")).map(([key, value]) => ({ type: "put", key, value })));
    this.#tabs += 1;
    const opening = openMatch<State, Action>({
      room: "table", game: this.game, seats, name: player.id, clock: this.#wallClock(), random: seededRandom(seed, this.#tabs), storage: disk, seam: () => this.hub.seam(player.id),
      development: rollback ? "rollback" : true, onReport: (report: GameReport) => void player.reports.push(report), ...more,
    });
    player.sit(await this.get(opening), disk);
  }

  /** Logged time is the clock's; here it begins at a date. */
  #wallClock(): MatchOptions<State, Action>["clock"] {
    const { clock } = this;
    return { now: () => EPOCH_MS + clock.now(), after: (ms, then) => clock.after(ms, then) };
  }

  #faults(): readonly string[] {
    return this.players.flatMap(({ id, reports }) => reports.filter(({ kind }) => GAME_FAULTS.includes(kind)).map(({ kind, message }) => `${id} reports ${kind}: ${message}`));
  }

  #digests(): ReadonlyMap<PeerId, string> {
    return new Map(this.players.filter(({ isAlive }) => isAlive).map(({ id, confirmed }) => [id, stateDigest(this.game, confirmed)]));
  }

  #isSettled(): boolean {
    const living = this.players.filter(({ isAlive }) => isAlive);
    return living.every(({ match, status }) => match.pending.get().length === 0 && status.leader !== undefined && status.commitIndex === living[0]?.status.commitIndex) && new Set(this.#digests().values()).size <= 1;
  }
}

/** Sets a table: everybody has come, one after the other, and the match is live. Close it at the end of the test. */
export async function openTable<State, Action>(game: Game<State, Action>, options: TableOptions<State, Action> = {}): Promise<TestTable<State, Action>> {
  const table = new TestTable(game, options);
  for (const player of table.players) await table.seat(player, undefined);
  await table.until(() => table.players.every(({ status }) => status.phase === "live"), "the match to be live");
  // Who watches may be given a vote, so that their number is odd: a table is set when the leader has nothing more to arrange.
  const votes = (): string => table.leader.match.node.membership.voters.join();
  for (let before = ""; before !== votes(); ) {
    before = votes();
    await table.advance(ARRANGING_MS);
  }
  return table;
}
