// How a peer that stored its log comes back to its match: where to, whether it has caught up, and when that match is over for it.
import { silentLogger, type Clock, type Logger, type PeerId } from "../base/index.ts";
import type { ByteStore } from "../storage/index.ts";
import type { Membership, RaftNode } from "../replica/index.ts";
import { MovedOnError } from "./errors.ts";
import { refusalOfJoiner, visibleGroups } from "./lobby.ts";
import type { PresenceState } from "./presence-state.ts";
import { seatOf, type Roster } from "./roster.ts";
import { writeStoredGroup, type StoredGroup } from "./stored-group.ts";

/** What of a session's options matters here. */
export interface WayBackOptions {
  readonly clock: Clock;
  readonly storage?: ByteStore | undefined;
  readonly evictAfterMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** One session's way back. */
export class WayBack {
  /** This session came back by what it had stored. */
  isTaken = false;
  readonly #self: PeerId;
  readonly #options: WayBackOptions;
  readonly #changed: () => void;
  #node: RaftNode | undefined;
  #groupId = "";
  /** The membership a stored log came with: it says who was in, not that this peer has caught up. */
  #membershipAtOpen: Membership | undefined;
  #isAsking = false;
  #remembered: StoredGroup | undefined;
  #writing: Promise<void> = Promise.resolve();
  #leaderlessSince: number | undefined;

  /** `changed` is called when an answer comes later than the question. */
  constructor(self: PeerId, options: WayBackOptions, changed: () => void) {
    this.#self = self;
    this.#options = options;
    this.#changed = changed;
  }

  /** A node of this group runs now. */
  opened(node: RaftNode, groupId: string): void {
    this.#node = node;
    this.#groupId = groupId;
    this.#membershipAtOpen = node.membership;
  }

  /**
   * Whether a member's log holds everything it has to know: it does once a membership came after it was opened, or once a read through the
   * leader was answered. Asks for that read by itself.
   */
  isCaughtUp(node: RaftNode): boolean {
    if (node.membership !== this.#membershipAtOpen) return true;
    this.#ask(node);
    return false;
  }

  /** Stores where to come back to, when it changed. A write that fails costs the way back, nothing else. */
  remember(roster: Roster): void {
    const { storage, logger = silentLogger } = this.#options;
    if (storage === undefined || this.#node === undefined || roster.seats.length === 0) return;
    const { voters, votersOutgoing } = this.#node.membership;
    const voted = voters.includes(this.#self) || votersOutgoing.includes(this.#self);
    const group: StoredGroup = { groupId: this.#groupId, seated: seatOf(roster, this.#self) !== undefined, voted };
    if (this.#remembered?.groupId === group.groupId && this.#remembered.seated === group.seated && this.#remembered.voted === voted) return;
    this.#remembered = group;
    this.#writing = writeStoredGroup(storage, group).catch((error: unknown) => logger.error("the way back to this match could not be stored", error));
  }

  /** Where nobody leads its match any more it goes where the others are: it came back, or is fed and nobody waits for it. */
  get mayMoveOn(): boolean {
    return this.isTaken || this.#node?.status.feed !== undefined;
  }

  /** Resolves once what was to be remembered is durable, or could not be made so. */
  get remembered(): Promise<void> {
    return this.#writing;
  }

  /** Who leaves for good does not want to be led back. Its log stays, so that no vote is forgotten. */
  async forget(): Promise<void> {
    const { storage, logger = silentLogger } = this.#options;
    if (storage === undefined) return;
    await writeStoredGroup(storage, undefined).catch((error: unknown) => logger.error("the match could not be forgotten", error));
  }

  /** Nobody has led this match for the eviction window, or says that it does. To be asked from time to time. */
  isStranded(states: ReadonlyMap<PeerId, PresenceState>): boolean {
    if (this.#node === undefined) return false;
    const isLed = this.#node.leader !== undefined || visibleGroups(states).some(({ groupId }) => groupId === this.#groupId);
    const { clock, evictAfterMs = 10_000 } = this.#options;
    this.#leaderlessSince = isLed ? undefined : (this.#leaderlessSince ?? clock.now());
    return this.#leaderlessSince !== undefined && clock.now() - this.#leaderlessSince >= evictAfterMs;
  }

  /**
   * Why it is over for a peer that came back: it was put out or its seat went to somebody else, or nobody leads that match while the room
   * plays another one. So it is for an audience, which has nothing to wait for. Not for players: whoever was there all along waits for its own.
   */
  ending(states: ReadonlyMap<PeerId, PresenceState>, { isMember, isAudience }: { readonly isMember: boolean; readonly isAudience: boolean }): Error | undefined {
    if (this.#node === undefined || (!isAudience && (isMember || !this.mayMoveOn))) return undefined;
    const isStranded = this.isStranded(states);
    const groups = visibleGroups(states);
    const own = groups.find(({ groupId }) => groupId === this.#groupId);
    if (own !== undefined) return this.isTaken && !isMember ? refusalOfJoiner(this.#self, own) : undefined;
    return isStranded && groups.length > 0 ? new MovedOnError() : undefined;
  }

  #ask(node: RaftNode): void {
    if (this.#isAsking || node.leader === undefined) return;
    this.#isAsking = true;
    const answered = (isCaughtUp: boolean): void => {
      this.#isAsking = false;
      // Without a leader that answers: the next change asks again.
      if (!isCaughtUp || this.#node !== node) return;
      this.#membershipAtOpen = undefined;
      this.#changed();
    };
    void node.readIndex().then(() => answered(true), () => answered(false));
  }
}
