// What a match shows of itself and of its people: plain values, a new one per change.
import type { LogIndex, PeerId } from "./base/index.ts";
import type { LinkStatus } from "./client/index.ts";
import type { Divergence, Seat } from "./game/index.ts";

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
  /** 1 in the match as it was opened. A match that somebody went on with alone (`continueWithout`) is a fork of it and has the later epoch that was claimed for it. */
  readonly epoch: number;
  readonly pendingCount: number;
  /** Which game the table plays: 1 the first, one more with every `rematch`. */
  readonly game: number;
  /** Who sits and asks for a rematch. */
  readonly rematchAsked: readonly PeerId[];
  readonly peers: readonly PeerId[];
  /** Those of them that are reached through the relay of a server, sealed, because there is no direct path. */
  readonly relayed: readonly PeerId[];
  /** Peer → last measured round trip, ms. */
  readonly roundTripMs: Readonly<Record<string, number>>;
  /** Peers that came to another state than this tab after the same entry, which no pure game of one version does; empty while all agree. Compared every 50 actions, in development after each. */
  readonly divergences: readonly Divergence[];
  /** With a core: which server this tab is connected to or asks, which attempt that is, and what was wrong with the one before. Undefined where players own the match. */
  readonly way: LinkStatus | undefined;
  /** Where this tab's part of the match lives; `memory` does not survive the tab. */
  readonly storage: "memory" | "indexeddb" | "custom";
  /** Why it is only memory, or what is wrong with the disk now, for people; undefined when all is well. */
  readonly storageNote: string | undefined;
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
