// Who sits where at each entry of a log, for whoever walks along it: who acted is decided where the action stands, not by the newest roster.
import type { PeerId } from "../base/index.ts";
import type { LogEvent } from "../replica/index.ts";
import { EMPTY_ROSTER, foldRoster, seatOf, type Roster } from "./roster.ts";

/** The roster as of the last entry observed. Its functions need no `this`: they are what a `TurnSequencer` asks for. */
export class RosterWalk {
  #roster: Roster = EMPTY_ROSTER;
  #isBeginning = false;

  /** As of the last entry. */
  get roster(): Roster {
    return this.#roster;
  }

  /** Takes the next entry in, or a snapshot in place of all before it. */
  readonly observe = (event: LogEvent): void => {
    const { game } = this.#roster;
    this.#roster = foldRoster(this.#roster, event);
    this.#isBeginning = event.type === "command" && this.#roster.game !== game;
  };

  /** The seat of a peer, if it has one. */
  readonly playerOf = (peer: PeerId): number | undefined => seatOf(this.#roster, peer);

  /** Whether the last entry is the word by which another game begins. */
  readonly isBeginning = (): boolean => this.#isBeginning;
}
