// One player at a test table: a whole match of its own, a tab that can die, and a disk that outlives it.
import type { GameReport, LogIndex, Match, MatchStatus, PeerId, PlayOutcome } from "../../index.ts";
import type { MemoryHub } from "../../seam/index.ts";
import type { MemoryByteStore } from "../../storage/index.ts";

/** What a player needs of the table it sits at. */
export interface PlayerSurroundings<State, Action> {
  readonly hub: Pick<MemoryHub, "kill">;
  /** Lets time pass until the promise settles. */
  get<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until every living player knows the log up to this entry, or for a second. */
  spread(index: LogIndex): Promise<void>;
  /** Opens a tab for this player, on what the disk held when its last tab ended. */
  seat(player: TestPlayer<State, Action>, kept: MemoryByteStore | undefined): Promise<void>;
}

/** A player at a table of `openTable`; made by it. */
export class TestPlayer<State, Action> {
  readonly id: PeerId;
  /** What this player's own game layer found worth a look, oldest first. */
  readonly reports: GameReport[] = [];
  readonly #table: PlayerSurroundings<State, Action>;
  #tab: { readonly match: Match<State, Action>; readonly disk: MemoryByteStore } | undefined;
  #isAlive = false;

  constructor(id: PeerId, table: PlayerSurroundings<State, Action>) {
    this.id = id;
    this.#table = table;
  }

  /** The match as this player's page has it: the same object a real page gets from `openMatch`. */
  get match(): Match<State, Action> {
    if (this.#tab === undefined) throw new Error(`${this.id} has not come to the table yet`);
    return this.#tab.match;
  }

  /** What this player sees. */
  get state(): State {
    return this.match.state.get();
  }

  /** What is committed as far as this player knows. */
  get confirmed(): State {
    return this.match.confirmed.get();
  }

  get status(): MatchStatus {
    return this.match.status.get();
  }

  get isLeader(): boolean {
    return this.#isAlive && this.status.isLeader;
  }

  /** False while its tab is dead. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /**
   * Plays, and lets time pass until the action is settled, whoever has to be elected for it, and the others have heard of it (who is cut off has a second), so that
   * the next player may answer it in the next line. Use `match.play` to go on at once.
   */
  async play(action: Action): Promise<PlayOutcome> {
    const playing = this.match.play(action);
    // An outcome that is open for now is awaited as well: it is settled in the end.
    const outcome = await this.#table.get(playing.catch((error: unknown) => (error instanceof Error && "settled" in error ? (error.settled as Promise<PlayOutcome>) : Promise.reject(error))));
    if (outcome.outcome === "committed") await this.#table.spread(outcome.index);
    return outcome;
  }

  /** The tab dies from one moment to the next: no goodbye, and the others notice by its silence. Its disk is kept. */
  kill(): void {
    this.#isAlive = false;
    this.#table.hub.kill(this.id, { noticedAfterMs: 500 });
  }

  /** A new tab on the old one's disk, killed before if it was alive; resolves when it is back in the match. */
  async reload(): Promise<void> {
    if (this.#isAlive) this.kill();
    await this.#table.seat(this, this.#tab?.disk);
  }

  /** The table hands over what `openMatch` gave. */
  sit(match: Match<State, Action>, disk: MemoryByteStore): void {
    this.#tab = { match, disk };
    this.#isAlive = true;
  }
}
