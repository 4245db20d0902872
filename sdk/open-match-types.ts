// What openMatch takes and gives: the words most games need. Types only.
import type { ReadableAtom } from "nanostores";
import type { Clock, Logger, LogIndex, PeerId, Random } from "./base/index.ts";
import type { MatchCluster, MatchClusterOptions } from "./cluster/index.ts";
import type { Game, GameReport, Outcome, Seat, UndoAnswer } from "./game/index.ts";
import type { Durability, OwnPlace } from "./open-match-home.ts";
import type { Invite } from "./open-match-room.ts";
import type { MatchPlayer, MatchStatus } from "./open-match-status.ts";
import type { PageLifecycle } from "./platform/index.ts";
import type { RaftConfig } from "./raft/index.ts";
import type { RaftNode } from "./replica/index.ts";
import type { Seam, SignalingFactory, SocketFactory } from "./seam/index.ts";
import type { RelayMode } from "./seam/webrtc/index.ts";
import type { Admit, Doc } from "./session/index.ts";
import type { ByteStore } from "./storage/index.ts";

/** How an action ended: committed at an index, or without effect for a reason. */
export type PlayOutcome = Outcome;

/** How a new match begins from a file. */
export interface MatchStart {
  /** What `match.export()` gave. */
  readonly file: Uint8Array;
  /** The entry after which the new match branches off; everything later is left out. Default: the end of the file. */
  readonly at?: LogIndex | undefined;
  /** The seat this tab takes. Default: the one it held there, else 0. */
  readonly as?: Seat | undefined;
}

/** Servers as the voters of a match. */
export interface CorePlacement {
  /** The processes of the core (`flotilla-server --core`), by their `wss:` URLs: asked in this order and round again. */
  readonly core: readonly string[];
}

/**
 * What is put between a match and its world, so that an inspector or a test takes something away while it runs: a seam that holds frames back is a link that is down, with a
 * clock that stands still beside it the tab is frozen. What a function gives is used instead of what it was given, and is bound by the same promises.
 */
export interface MatchBetween {
  /** The way to the others; called each time this tab goes out to them. A seam of the same peer that takes frames as large. What travels beside the links (signaling, and a goodbye by it) does not pass. */
  readonly seam?: ((seam: Seam) => Seam) | undefined;
  /** Time and timers of all that this match does; called once. */
  readonly clock?: ((clock: Clock) => Clock) | undefined;
}

/** What `openMatch` takes: the game, and whatever differs from the defaults. */
export interface MatchOptions<State, Action> {
  /**
   * A room by its name, or by what invites to it: the code or the link of an invitation. Everybody with the same name and the same secret meets. Default: read
   * from the page's URL (`#room=…&key=…`), else a new one is made up, with a secret of its own.
   */
  readonly room?: string | undefined;
  /**
   * The secret that belongs to `room`: 22 to 64 characters of base64url, at least 128 random bits, the same for everybody. It seals what passes through the signaling
   * server and never leaves this page but in `invite`. Default: what the invitation holds. A room with a name alone is as private as its name.
   */
  readonly key?: string | undefined;
  /** What people tell each other on top of the invitation. Whoever gives another one, or none, fails with `WrongPasswordError` where others are. Default: none. */
  readonly password?: string | undefined;
  readonly game: Game<State, Action>;
  /**
   * Opens a new match of this room that begins in the state of a file, this tab hosting it: the other seats are free, moves committed before stay
   * committed once, and the way to it is not in the new match's log. Nothing is resumed or joined then, nor watched: where the room plays
   * already, opening fails with `DuplicateHostError`. Default: none.
   */
  readonly from?: Uint8Array | MatchStart | undefined;
  /** Number of seats. Default 2, or those of `from`. */
  readonly seats?: number | undefined;
  /** Shown to the others. Default: "Player". At most 40 characters. */
  readonly name?: string | undefined;
  /** How strangers meet: a WebSocket URL of the bundled server (with BroadcastChannel beside it, so that tabs of one browser need no server), or factories of your own, which run side by side. Default: BroadcastChannel between tabs of this browser. */
  readonly signaling?: string | SignalingFactory | readonly SignalingFactory[] | undefined;
  /**
   * A witness: a third voter at the bundled server (started with `--witness`), so that a match of two survives the crash of either tab. It sees who is in the
   * group, how many actions were committed and when; never an action or a state. `true`: at the server of `signaling`; or a WebSocket URL. The same for
   * everybody in the room: it votes only once every tab that votes reaches it. What it can not do stands in `sdk/raft/SPEC.md`. Default false.
   */
  readonly witness?: boolean | string | undefined;
  /**
   * What is done for a pair between which there is no direct path: the bundled server carries what they say, sealed by the two of them and proven like any link.
   * `fallback`: such pairs, while it is so, and peers without WebRTC. `always`: everybody, so that nobody learns this tab's address. `never`: such pairs do not
   * meet. An object: at another server than that of `signaling`. Default `fallback` where `signaling` is the URL of a server, else `never`.
   */
  readonly relay?: "never" | RelayMode | { readonly url: string; readonly mode?: RelayMode | undefined } | undefined;
  /** How sockets to servers are opened. Default: the global `WebSocket`; `openNodeSocket` of `flotilla/node` in Node. */
  readonly openSocket?: SocketFactory | undefined;
  /**
   * Who votes. `session-owned`: the players' tabs, and there is no server in the match. A core: three servers (`flotilla-server --core`), or five or one, which keep the
   * log whoever comes and goes, and read what is played; tabs have one socket to one of them and change servers by themselves, and players learn and propose. Everybody in the room gives the
   * same. The game, `play`, seats, invitations, coming back and leaving are the same. With a core `seam`, `signaling`, `iceServers`, `relay`, `password`, `witness`, `from` and `admit` are
   * refused, there is no `continueWithout` and no `cluster`, and nobody hosts: the first who comes says how many seats there are. Default `session-owned`.
   */
  readonly placement?: "session-owned" | CorePlacement | undefined;
  /** Only watch. Default false; a full room offers spectating by itself. */
  readonly spectate?: boolean | undefined;
  /** A value, or a function asked anew for every link. Default: two public STUN servers; TURN is yours to add. */
  readonly iceServers?: readonly RTCIceServer[] | (() => Promise<readonly RTCIceServer[]>) | undefined;
  /** Overrides of the `browser` timing. The same for everybody in the room. */
  readonly raft?: Partial<RaftConfig> | undefined;
  /** Silence after which a peer loses its vote (never its seat), ms. Default 10 000. */
  readonly evictAfterMs?: number | undefined;
  /**
   * Where this tab's part of the match lives. `indexeddb`: it survives reload, crash and closing, and the tab is the same peer with the same seat
   * again; where the browser can not (private mode, no https) it is memory all the same, and the status says why. A store of your own must hold
   * what this peer id wrote and nothing of another; a function opens it, and is asked again when its connection is lost. An identity with its records
   * (`openPlayerFolder` of `flotilla/node`): that player. Default `indexeddb`; with `seam`, memory.
   */
  readonly storage?: "indexeddb" | "memory" | ByteStore | (() => Promise<ByteStore>) | OwnPlace | undefined;
  /** What a confirmed move survives on this device: `strict` also a power cut, `relaxed` the end of tab and browser. Default `strict`. */
  readonly durability?: Durability | undefined;
  /** Come back to the match this tab (or another of this browser) was in. Default true; false plays whatever the room plays now, or opens a new match. */
  readonly resume?: boolean | undefined;
  /**
   * Comes back to the seat one had in another browser: what `match.exportIdentity` gave there, and its passphrase. This tab is a peer of its own and watches until
   * the seat is free to move: once the tab it belonged to is not here any more. Default: none.
   */
  readonly returnAs?: { readonly file: Uint8Array; readonly passphrase: string } | undefined;
  /** The game's own rule about newcomers; asked on whoever leads, so give it to everybody. Default: everybody may come. */
  readonly admit?: Admit | undefined;
  /** Hears the status while the room is being opened, before there is a match to ask. */
  readonly onProgress?: ((status: MatchStatus) => void) | undefined;
  /** Freezes states and runs the game's functions twice to find impure ones; see `onReport`. `rollback`: replays every action when it commits, too. Default false. */
  readonly development?: boolean | "rollback" | undefined;
  /** Hears what deserves a look: illegal committed actions, impure games, listeners that threw. Default: the logger; faults of the game as errors. */
  readonly onReport?: ((report: GameReport) => void) | undefined;
  /** A seam made elsewhere, or a function that makes one whenever this tab goes out to the others (tests); then `signaling` and `iceServers` are not used. */
  readonly seam?: Seam | (() => Seam) | undefined;
  /** A page's life made elsewhere (tests). Default: this page's. */
  readonly page?: PageLifecycle | undefined;
  /** Time and timers made elsewhere (tests). Default: the page's. */
  readonly clock?: Clock | undefined;
  /** Randomness made elsewhere (tests). Default: `crypto`. */
  readonly random?: Random | undefined;
  /** Stands between this match and its world, for faults on demand. Default: nothing does. */
  readonly between?: MatchBetween | undefined;
  /** Hears what happens inside. Default: nobody; `console` while you build. */
  readonly logger?: Logger | undefined;
  /** Gives up opening and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** A running match. Its atoms are assigned only when their value is a new one. */
export interface Match<State, Action> {
  /** What to draw: the committed state with this tab's pending actions on top, through the game's `view` where it has one. Same identity while nothing changed. */
  readonly state: ReadableAtom<State>;
  /** Only what is committed. */
  readonly confirmed: ReadableAtom<State>;
  readonly status: ReadableAtom<MatchStatus>;
  readonly players: ReadableAtom<readonly MatchPlayer[]>;
  /** This tab's actions that are not settled yet, oldest first. */
  readonly pending: ReadableAtom<readonly Action[]>;
  /** Applies to `state` in this very task and proposes. Rejections carry the game's reason, or `not-seated`, `rematch-asked`, `closed`. Throws `OutcomeUnknownError` (with `settled` to await) when the fate stays open. */
  play(action: Action): Promise<PlayOutcome>;
  /**
   * Takes this tab's newest open action back, if it has not left the tab: while nobody leads (`status.phase` is `reconnecting` or `no-quorum`), or in the very
   * task that played it. Then it is gone from `state` in this task and its promise resolves as rejected, `undone`. What was sent the log decides: the answer
   * is `sent`, and nothing has changed. An action that is committed is undone by another action, if the game has one.
   */
  undo(): UndoAnswer<Action>;
  /** What to pass on: a link that leads here, a code that does too when typed, and the room's name, which is not secret. */
  readonly invite: Invite;
  /** Ephemeral traffic beside the log, to everybody who opens the same name (1 to 255 UTF-8 bytes). Not ordered with actions, not stored. What a later frame makes worthless, such as a cursor, is sent with `{ lossy: true }`. */
  channel(name: string): Seam;
  /** A Y.Doc kept in step with everybody who opens the same name. Same instance per name; ends with the match. Names are apart from `channel`'s. */
  shared(name: string): Doc;
  /**
   * Splits work into shards that the tabs at the table share: each shard is owned by one tab, which the log says, calls find it, and what it saves outlives
   * that tab. Every tab calls this with the same `shards` and `seed`; a tab that only watches may call shards, and owns none. The assignment is made by
   * whoever leads, follows who comes and goes (a closed tab at once, a silent one after `evictAfterMs`), and moves no more shards than it must. Once a
   * match: a second call throws `InvalidArgumentError`, as any with a core does, one after the end `ClosedError`. What shards saved is no part of `from`.
   */
  cluster(options: MatchClusterOptions): MatchCluster;
  /** The node underneath, for inspectors. */
  readonly node: RaftNode;
  /**
   * The match as one file, for `importMatch` and for `openMatch({ from })`: what is committed here, with the game's name and version and the number of
   * seats; nothing that is only pending, and no identity. Can be taken of a match that is over here, too. Rejects with `ClosedError` while this tab is
   * on its way in or back, `BusyError` while it catches up.
   */
  export(): Promise<Uint8Array>;
  /**
   * A file with which this seat can be taken along to another browser (`openMatch({ returnAs })`), sealed with a passphrase. It holds no key of this tab and lets
   * nobody vote or speak as this peer; whoever has file and passphrase can claim the seat while this tab is gone, and it can not be taken back. Rejects with
   * `ClosedError` where there is no identity to export: over a seam made elsewhere. Costs about 0.3 s, on a page without WebCrypto several seconds, while the page goes on.
   */
  exportIdentity(passphrase: string): Promise<Uint8Array>;
  /** Puts a player out for good. Void unless this tab holds a seat. */
  kick(peer: PeerId, reason?: string): Promise<void>;
  /**
   * Goes on without those who are gone, where too few are left to decide (`status.phase` is `no-quorum`): as a fork of the match, with everything this tab's
   * log holds and the same seats. It is for the people to decide, because the others may be playing on behind a broken network: whoever meets the fork
   * later gives its own version up and joins this one. In a match of two no confirmed move is lost by it; of more, or with a `witness`, moves the
   * others confirmed among themselves may be. Rejects with `InvalidArgumentError` (with a core: its servers decide), `QuorumPresentError`, `NotAVoterError`, `ClosedError`; then nothing has changed.
   */
  continueWithout(): Promise<void>;
  /** Asks for a free seat, as a spectator; resolves once this tab holds one, and waits as long as none is free. `stand` takes the wish back (`ClosedError`). Rejects with `AdmissionRefusedError`. */
  sit(): Promise<void>;
  /** Gives up the seat, or the wish for one, and watches on. */
  stand(): Promise<void>;
  /**
   * Asks for another game with the same people in the same seats; resolves once it has begun: when everybody who sits asks. Who is gone counts until its seat is
   * freed, and that somebody goes begins nothing: then ask again. Every tab's state begins anew from `setup`, watchers' too; the log goes on, and `status.game` is one more.
   * Until then `status.rematchAsked` tells everybody, and this tab plays nothing (`rematch-asked`), so that no action meant for one game counts in the next; what is
   * open is waited for first. The signal takes the wish back and rejects with its reason. Rejects with `ClosedError` when the wish, the seat or the match is lost meanwhile,
   * `InvalidArgumentError` without a seat. Without a leader, or while the page was away, it goes on being said. Who asked and reloaded asks still, and
   * sees itself in `status.rematchAsked`: call it again to wait, or `cancelRematch`. A game that keeps a score from round to round has an action for the next round instead.
   *
   * ```ts
   * again.onclick = () => void match.rematch().catch(() => undefined);
   * never.onclick = () => void match.cancelRematch();
   * match.status.subscribe(({ rematchAsked, selfId }) => (again.disabled = selfId !== undefined && rematchAsked.includes(selfId)));
   * ```
   */
  rematch(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Takes back the wish for another game, this tab's or one from before it was reloaded; then it plays on. Resolves once the log says so, or nothing is left to take back. */
  cancelRematch(): Promise<void>;
  /** Changes this player's name for everybody. */
  rename(name: string): Promise<void>;
  /** Gives up the seat, says goodbye, hands leadership over, frees everything. Idempotent. */
  leave(): Promise<void>;
}
