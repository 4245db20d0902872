// The composition root: one call that joins seam, replica, session and game. The one module that may know every layer.
import type { ReadableAtom } from "nanostores";
import type { Doc } from "yjs";
import type { LogIndex, Logger, PeerId } from "./base/index.ts";
import type { Game, Seat } from "./game/index.ts";
import type { RaftConfig } from "./raft/index.ts";
import type { RaftNode } from "./replica/index.ts";
import type { Seam, SignalingFactory } from "./seam/index.ts";

/** Where a match is in its life. */
export type MatchPhase = "connecting" | "waiting" | "live" | "reconnecting" | "no-quorum" | "closed";

/** What the status atom holds: a new object per change. */
export interface MatchStatus {
  /** connecting: finding the room; waiting: seats are free; live; reconnecting: no leader is heard; no-quorum: too few voters to commit; closed: over here. */
  readonly phase: MatchPhase;
  /** Why it is closed, else undefined. */
  readonly reason: string | undefined;
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

export type PlayOutcome =
  | { readonly outcome: "committed"; readonly index: LogIndex }
  | { readonly outcome: "rejected"; readonly reason: string };

export interface MatchOptions<State, Action> {
  /** Room code; everybody with the same code (and secret) meets. Default: read from the page's URL (`#room=…`), else a new one is made up. */
  readonly room?: string | undefined;
  readonly game: Game<State, Action>;
  /** Number of seats. Default 2. */
  readonly seats?: number | undefined;
  /** Shown to the others. Default: "Player". At most 40 characters. */
  readonly name?: string | undefined;
  /** How strangers meet: a WebSocket URL of the bundled server, or factories (several run side by side). Default: BroadcastChannel between tabs of this browser; plus the same-origin server when the page says so (see README). */
  readonly signaling?: string | SignalingFactory | readonly SignalingFactory[] | undefined;
  /** Only watch. Default false; a full room offers spectating by itself. */
  readonly spectate?: boolean | undefined;
  readonly iceServers?: readonly RTCIceServer[] | (() => Promise<readonly RTCIceServer[]>) | undefined;
  readonly raft?: Partial<RaftConfig> | undefined;
  /** A seam made elsewhere (tests); then `signaling` and `iceServers` are not used. */
  readonly seam?: Seam | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** A running match. */
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
  readonly invite: { readonly room: string; readonly url: string };
  /** Ephemeral traffic beside the log, to everybody who opens the same name. Not ordered with actions, not stored. */
  channel(name: string): Seam;
  /** A Y.Doc kept in step over an app channel. */
  shared(name: string): Doc;
  /** The node underneath, for inspectors. */
  readonly node: RaftNode;
  /** Says goodbye, hands leadership over, frees everything. Idempotent. */
  leave(): Promise<void>;
}
