// What a match looks like from outside: options in, atoms and calls out.
import type { ReadableAtom } from "nanostores";
import type { Clock, LogIndex, Logger, PeerId, Random } from "./base/index.ts";
import type { Game, GameReport, Outcome, Seat } from "./game/index.ts";
import type { RaftConfig } from "./raft/index.ts";
import type { RaftNode } from "./replica/index.ts";
import type { Seam, SignalingFactory } from "./seam/index.ts";
import type { Admit, Doc } from "./session/index.ts";

/** Where a match is in its life. */
export type MatchPhase = "connecting" | "waiting" | "live" | "reconnecting" | "no-quorum" | "closed";

/** What the status atom holds: a new object per change. */
export interface MatchStatus {
  /** connecting: finding the room; waiting: seats are free; live; reconnecting: no leader is heard; no-quorum: too few voters to commit; closed: over here. */
  readonly phase: MatchPhase;
  /** Why it is closed, else undefined. */
  readonly reason: string | undefined;
  /** This tab. */
  readonly selfId: PeerId;
  /** The seat this tab holds; undefined: not seated (yet), a spectator. */
  readonly seat: Seat | undefined;
  readonly spectating: boolean;
  readonly leader: PeerId | undefined;
  readonly isLeader: boolean;
  readonly role: string;
  readonly term: number;
  readonly commitIndex: LogIndex;
  readonly pendingCount: number;
  readonly peers: readonly PeerId[];
  /** Peer → last measured round trip, ms. */
  readonly roundTripMs: Readonly<Record<string, number>>;
  readonly storage: "memory" | "indexeddb";
}

/** One person of the match; the atom holds them seats first, then spectators. */
export interface MatchPlayer {
  readonly peer: PeerId;
  readonly name: string;
  /** undefined: a spectator. */
  readonly seat: Seat | undefined;
  readonly isSelf: boolean;
  readonly isLeader: boolean;
  readonly presence: "here" | "away" | "gone";
}

/** How an action ended: committed at an index, or without effect for a reason. */
export type PlayOutcome = Outcome;

export interface MatchOptions<State, Action> {
  /** Room code; everybody with the same code (and secret) meets. Default: read from the page's URL (`#room=…`), else a new one is made up. */
  readonly room?: string | undefined;
  readonly game: Game<State, Action>;
  /** Number of seats. Default 2. */
  readonly seats?: number | undefined;
  /** Shown to the others. Default: "Player". At most 40 characters. */
  readonly name?: string | undefined;
  /** How strangers meet: a WebSocket URL of the bundled server (with BroadcastChannel beside it, so that tabs of one browser need no server), or factories of your own, which run side by side. Default: BroadcastChannel between tabs of this browser. */
  readonly signaling?: string | SignalingFactory | readonly SignalingFactory[] | undefined;
  /** Only watch. Default false; a full room offers spectating by itself. */
  readonly spectate?: boolean | undefined;
  /** A value, or a function asked anew for every link. Default: two public STUN servers; TURN is yours to add. */
  readonly iceServers?: readonly RTCIceServer[] | (() => Promise<readonly RTCIceServer[]>) | undefined;
  /** Overrides of the `browser` timing. The same for everybody in the room. */
  readonly raft?: Partial<RaftConfig> | undefined;
  /** Silence after which a peer loses its vote (never its seat), ms. Default 10 000. */
  readonly evictAfterMs?: number | undefined;
  /** The game's own rule about newcomers; asked on whoever leads, so give it to everybody. Default: everybody may come. */
  readonly admit?: Admit | undefined;
  /** Hears the status while the room is being opened, before there is a match to ask. */
  readonly onProgress?: ((status: MatchStatus) => void) | undefined;
  /** Freezes states and runs the game's functions twice to find impure ones; see `onReport`. Default false. */
  readonly development?: boolean | undefined;
  /** Hears what deserves a look: illegal committed actions, impure games, listeners that threw. Default: the logger. */
  readonly onReport?: ((report: GameReport) => void) | undefined;
  /** A seam made elsewhere (tests); then `signaling` and `iceServers` are not used. */
  readonly seam?: Seam | undefined;
  /** Time and timers made elsewhere (tests). Default: the page's. */
  readonly clock?: Clock | undefined;
  /** Randomness made elsewhere (tests). Default: `crypto`. */
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** A running match. Its atoms are assigned only when their value is a new one. */
export interface Match<State, Action> {
  /** What to draw: the committed state with this tab's pending actions on top. Same identity while nothing changed. */
  readonly state: ReadableAtom<State>;
  /** Only what is committed. */
  readonly confirmed: ReadableAtom<State>;
  readonly status: ReadableAtom<MatchStatus>;
  readonly players: ReadableAtom<readonly MatchPlayer[]>;
  /** This tab's actions that are not settled yet, oldest first. */
  readonly pending: ReadableAtom<readonly Action[]>;
  /** Applies to `state` in this very task and proposes. Rejections carry the game's reason, or `not-seated`, `closed`. Throws `OutcomeUnknownError` (with `settled` to await) when the fate stays open. */
  play(action: Action): Promise<PlayOutcome>;
  /** The room's code and a link that leads there. */
  readonly invite: { readonly room: string; readonly url: string };
  /** Ephemeral traffic beside the log, to everybody who opens the same name (1 to 255 UTF-8 bytes). Not ordered with actions, not stored. */
  channel(name: string): Seam;
  /** A Y.Doc kept in step with everybody who opens the same name. Same instance per name; ends with the match. Names are apart from `channel`'s. */
  shared(name: string): Doc;
  /** The node underneath, for inspectors. */
  readonly node: RaftNode;
  /** Puts a player out for good. Void unless this tab holds a seat. */
  kick(peer: PeerId, reason?: string): Promise<void>;
  /** Changes this player's name for everybody. */
  rename(name: string): Promise<void>;
  /** Gives up the seat, says goodbye, hands leadership over, frees everything. Idempotent. */
  leave(): Promise<void>;
}
