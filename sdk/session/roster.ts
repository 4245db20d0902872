// The session lane: who holds which seat, as a pure reducer over the committed log. Seats are not votes: nothing here touches membership.
import { ByteReader, ByteWriter, isPeerId, MalformedError, type LogIndex, type PeerId } from "../base/index.ts";
import { LANE_SESSION, type CommittedCommand, type LaneReducer, type LogEvent } from "../replica/index.ts";
import { cleanName, cleanText, REASON_CHARS_MAX, SEATS_MAX } from "./presence-state.ts";

/** A taken seat. */
export interface TakenSeat {
  readonly peer: PeerId;
  readonly name: string;
}

/** A spectator the log knows: one who gave up a seat, or a spare voter. Other spectators are only in presence. */
export interface Watcher {
  readonly peer: PeerId;
  readonly name: string;
  /** Lends its vote to keep the number of voters odd; may manage the session while it leads. */
  readonly spare: boolean;
}

/** Who sits where, after some log index. A new object per change. */
export interface Roster {
  /** By seat number, from 0; undefined: free. Empty until the host opened the match. */
  readonly seats: readonly (TakenSeat | undefined)[];
  readonly watchers: readonly Watcher[];
  /** Put out for good, oldest first; at most `KICKED_MAX`. */
  readonly kicked: readonly { readonly peer: PeerId; readonly reason: string }[];
  /** Who gave up a seat, or the wish for one, and the last entry that said so; oldest first, at most `STOOD_MAX`. A wish made before that entry seats nobody. */
  readonly stood: readonly { readonly peer: PeerId; readonly index: LogIndex }[];
  readonly spectators: "open" | "closed";
  readonly votersMax: number;
  /** Which game the table plays: 1 the first, one more with every rematch. */
  readonly game: number;
  /** Who sits and asks for a rematch. Once everybody who sits does, the next game begins and the list is empty. */
  readonly asked: readonly PeerId[];
  /** What is played, as the host's opening word says (`name@version`); undefined where it says nothing. */
  readonly rules?: string | undefined;
  /** The fixed core that votes and manages, and never sits; undefined in a match that its players own. */
  readonly core?: readonly PeerId[] | undefined;
  /** Logged time of the host's opening word, ms since 1970; 0 before it. */
  readonly openedAt: number;
  /** Index of the command that made this roster; 0 before any. */
  readonly index: LogIndex;
}

/** A command of the session lane. */
export type RosterCommand =
  /** The host's first word: how many seats there are, which it takes (default 0), and what is played. Ignored when the match is open already. A core opens with all seats free. */
  | { readonly type: "open"; readonly seats: number; readonly name: string; readonly spectators: "open" | "closed"; readonly votersMax: number; readonly seat?: number | undefined; readonly rules?: string | undefined }
  /** Void when the peer gave up a seat, or its wish, after `stoodUpAt`, which is what it knew of when it made the wish; logs of the first builds do not say. */
  | { readonly type: "seat"; readonly peer: PeerId; readonly seat: number; readonly name: string; readonly stoodUpAt?: LogIndex | undefined }
  | { readonly type: "vacate"; readonly peer: PeerId }
  | { readonly type: "kick"; readonly peer: PeerId; readonly reason: string }
  | { readonly type: "spectate"; readonly peer: PeerId; readonly name: string; readonly spare: boolean }
  | { readonly type: "rename"; readonly name: string }
  /** Its proposer, who sits, asks for a rematch of that `game` or takes that back; void in every other one, so that a word said twice, or late, asks for no further game. */
  | { readonly type: "rematch"; readonly wants: boolean; readonly game: number }
  /** The person who sat as `from` is the peer `to` from now on. */
  | { readonly type: "reseat"; readonly from: PeerId; readonly to: PeerId; readonly name: string }
  /** The processes of the fixed core, at most {@link SEATS_MAX}: the first word of a group that has one, by one of them, and later only theirs to change. None: they have given the group up, and nothing of it is theirs to change any more. */
  | { readonly type: "core"; readonly peers: readonly PeerId[] };

/** Limit of the list of kicked peers; the oldest is forgotten. */
export const KICKED_MAX = 64;
/** Limit of the list of spectators in the log; further ones are not recorded. */
export const WATCHERS_MAX = 64;
/** Limit of the list of those who gave up a seat; the oldest is forgotten. */
export const STOOD_MAX = 64;
const PEER_BYTES_MAX = 512;
const TEXT_BYTES_MAX = 1024;

/** The roster before any command. */
export const EMPTY_ROSTER: Roster = { seats: [], watchers: [], kicked: [], stood: [], spectators: "closed", votersMax: 1, game: 1, asked: [], openedAt: 0, index: 0 };

/** The seat `peer` holds, or undefined. */
export function seatOf(roster: Roster, peer: PeerId): number | undefined {
  const seat = roster.seats.findIndex((taken) => taken?.peer === peer);
  return seat === -1 ? undefined : seat;
}

/** Nobody sits. */
export function isEmpty(roster: Roster): boolean {
  return roster.seats.every((taken) => taken === undefined);
}

/** The lowest free seat, or undefined. */
export function freeSeat(roster: Roster): number | undefined {
  const seat = roster.seats.indexOf(undefined);
  return seat === -1 ? undefined : seat;
}

/** The last entry by which `peer` gave up a seat, or the wish for one; 0 when none is remembered. */
export function stoodUpAt(roster: Roster, peer: PeerId): LogIndex {
  return roster.stood.find((entry) => entry.peer === peer)?.index ?? 0;
}

/** Who may manage others: the core where there is one, whoever holds a seat, and spare voters. A stranger, a plain spectator or a kicked peer can not seat itself. */
export function mayManage(roster: Roster, peer: PeerId): boolean {
  return isOfCore(roster, peer) || seatOf(roster, peer) !== undefined || roster.watchers.some((watcher) => watcher.peer === peer && watcher.spare);
}

/** True for a process of the fixed core. */
export function isOfCore(roster: Roster, peer: PeerId): boolean {
  return roster.core?.includes(peer) === true;
}

/** The roster after `command` by `proposer`, committed at `index` (default: the next one); the same object when the command is void. Total. */
export function applyRosterCommand(roster: Roster, command: RosterCommand, proposer: PeerId, index: LogIndex = roster.index + 1): Roster {
  const next = changedBy(roster, command, proposer);
  const isTakenBack = command.type === "spectate" && !command.spare && mayWatch(roster, command, proposer);
  const standing = [...roster.seats.flatMap((taken) => (taken === undefined || seatOf(next, taken.peer) !== undefined ? [] : [taken.peer])), ...(isTakenBack ? [command.peer] : [])];
  if (standing.length === 0) return next;
  const others = next.stood.filter(({ peer }) => !standing.includes(peer));
  // Who does not sit any more does not ask either; nothing begins by somebody going.
  return { ...next, asked: next.asked.filter((peer) => seatOf(next, peer) !== undefined), stood: [...others, ...[...new Set(standing)].map((peer) => ({ peer, index }))].slice(-STOOD_MAX) };
}

function changedBy(roster: Roster, command: RosterCommand, proposer: PeerId): Roster {
  // Before the host's opening word nothing counts, so that nobody finds itself on a list nobody manages.
  if (roster.seats.length === 0 && command.type !== "open" && command.type !== "core") return roster;
  switch (command.type) {
    case "core":
      return nameCore(roster, command.peers, proposer);
    case "open":
      return openRoster(roster, command, proposer);
    case "seat":
      // A spare that leads may seat others; its own seat is for somebody else to give, unless nobody sits who could.
      return (command.peer !== proposer || isEmpty(roster)) && mayManage(roster, proposer) ? takeSeat(roster, command) : roster;
    case "vacate":
      return command.peer === proposer || mayManage(roster, proposer) ? vacate(roster, command.peer) : roster;
    case "kick":
      return command.peer !== proposer && mayManage(roster, proposer) ? kick(roster, command.peer, command.reason) : roster;
    case "spectate":
      return mayWatch(roster, command, proposer) ? watch(roster, command) : roster;
    case "rename":
      return rename(roster, proposer, command.name);
    case "rematch":
      return askRematch(roster, command, proposer);
    case "reseat":
      return command.to !== proposer && mayManage(roster, proposer) ? reseat(roster, command) : roster;
  }
}

/** Nobody makes itself a spare: a spare may manage others. */
function mayWatch(roster: Roster, command: RosterCommand & { type: "spectate" }, proposer: PeerId): boolean {
  return roster.seats.length > 0 && !isKicked(roster, command.peer) && (mayManage(roster, proposer) || (command.peer === proposer && !command.spare));
}

function openRoster(roster: Roster, command: RosterCommand & { type: "open" }, proposer: PeerId): Roster {
  const { seat = 0, name, spectators, votersMax, rules } = command;
  if (roster.seats.length > 0 || seat >= command.seats || (roster.core !== undefined && !isOfCore(roster, proposer))) return roster;
  const host = roster.core === undefined ? { peer: proposer, name } : undefined;
  const seats = Array.from({ length: command.seats }, (_, at): TakenSeat | undefined => (at === seat ? host : undefined));
  return { ...roster, seats, spectators, votersMax, rules };
}

function nameCore(roster: Roster, peers: readonly PeerId[], proposer: PeerId): Roster {
  const mayName = roster.core === undefined ? roster.seats.length === 0 && peers.includes(proposer) : isOfCore(roster, proposer);
  return mayName ? { ...roster, core: peers } : roster;
}

function takeSeat(roster: Roster, command: RosterCommand & { type: "seat" }): Roster {
  const { peer, seat, name, stoodUpAt: knownOf = Infinity } = command;
  const free = seat < roster.seats.length && roster.seats[seat] === undefined;
  if (!free || seatOf(roster, peer) !== undefined || isKicked(roster, peer) || isOfCore(roster, peer) || knownOf < stoodUpAt(roster, peer)) return roster;
  return { ...roster, seats: withSeat(roster, seat, { peer, name }), watchers: roster.watchers.filter((watcher) => watcher.peer !== peer) };
}

function reseat(roster: Roster, { from, to, name }: RosterCommand & { type: "reseat" }): Roster {
  const seat = seatOf(roster, from);
  if (seat === undefined || seatOf(roster, to) !== undefined || isKicked(roster, to) || isOfCore(roster, to)) return roster;
  return { ...roster, seats: withSeat(roster, seat, { peer: to, name }), watchers: roster.watchers.filter((watcher) => watcher.peer !== to) };
}

function askRematch(roster: Roster, { wants, game }: RosterCommand & { type: "rematch" }, peer: PeerId): Roster {
  if (game !== roster.game) return roster;
  const others = roster.asked.filter((other) => other !== peer);
  if (seatOf(roster, peer) === undefined || (!wants && others.length === roster.asked.length)) return roster;
  const asked = wants ? [...others, peer] : others;
  // Asked again it is looked at again: whoever did not want one may be gone.
  const isAgreed = wants && roster.seats.every((taken) => taken === undefined || asked.includes(taken.peer));
  return isAgreed ? { ...roster, game: roster.game + 1, asked: [] } : { ...roster, asked };
}

function vacate(roster: Roster, peer: PeerId): Roster {
  const seat = seatOf(roster, peer);
  return seat === undefined ? roster : { ...roster, seats: withSeat(roster, seat, undefined) };
}

function kick(roster: Roster, peer: PeerId, reason: string): Roster {
  if (isKicked(roster, peer) || isOfCore(roster, peer)) return roster;
  const without = vacate(roster, peer);
  const kicked = [...without.kicked, { peer, reason }].slice(-KICKED_MAX);
  return { ...without, kicked, watchers: without.watchers.filter((watcher) => watcher.peer !== peer) };
}

function watch(roster: Roster, command: RosterCommand & { type: "spectate" }): Roster {
  const { peer, name } = command;
  if (isOfCore(roster, peer)) return roster;
  const others = roster.watchers.filter((watcher) => watcher.peer !== peer);
  const known = roster.watchers.find((watcher) => watcher.peer === peer);
  // Who stands up may go on managing, as it could while it sat, and saying so twice takes nothing away: it may be the only voter there is, and without one that may, the match is closed for ever.
  const spare = command.spare || known?.spare === true || seatOf(roster, peer) !== undefined;
  if (known?.name === name && known.spare === spare) return roster;
  if (others.length >= WATCHERS_MAX) return vacate(roster, peer);
  return { ...vacate(roster, peer), watchers: [...others, { peer, name, spare }] };
}

function rename(roster: Roster, peer: PeerId, name: string): Roster {
  const seat = seatOf(roster, peer);
  if (seat !== undefined) return roster.seats[seat]?.name === name ? roster : { ...roster, seats: withSeat(roster, seat, { peer, name }) };
  if (!roster.watchers.some((watcher) => watcher.peer === peer && watcher.name !== name)) return roster;
  return { ...roster, watchers: roster.watchers.map((watcher) => (watcher.peer === peer ? { ...watcher, name } : watcher)) };
}

function withSeat(roster: Roster, seat: number, taken: TakenSeat | undefined): Roster["seats"] {
  return roster.seats.map((before, index) => (index === seat ? taken : before));
}

/** True when `peer` was put out for good. */
export function isKicked(roster: Roster, peer: PeerId): boolean {
  return roster.kicked.some((entry) => entry.peer === peer);
}

const TYPES = ["open", "seat", "vacate", "kick", "spectate", "rename", "reseat", "core", "rematch"] as const;

/** Bytes of a command, as it stands in the log. */
export function encodeRosterCommand(command: RosterCommand): Uint8Array {
  const writer = new ByteWriter().byte(TYPES.indexOf(command.type));
  switch (command.type) {
    case "open":
      return writer.uint(command.seats).text(command.name).bool(command.spectators === "open").uint(command.votersMax).uint(command.seat ?? 0).text(command.rules ?? "").finish();
    case "seat":
      writer.text(command.peer).uint(command.seat).text(command.name);
      return (command.stoodUpAt === undefined ? writer : writer.uint(command.stoodUpAt)).finish();
    case "vacate":
      return writer.text(command.peer).finish();
    case "kick":
      return writer.text(command.peer).text(command.reason).finish();
    case "spectate":
      return writer.text(command.peer).text(command.name).bool(command.spare).finish();
    case "rename":
      return writer.text(command.name).finish();
    case "rematch":
      return writer.bool(command.wants).uint(command.game).finish();
    case "reseat":
      return writer.text(command.from).text(command.to).text(command.name).finish();
    case "core":
      writer.list(command.peers, (peer) => writer.text(peer));
      return writer.finish();
  }
}

/** The command of these bytes. Throws `MalformedError`. Names and reasons come out clean, so that every peer shows the same. */
export function decodeRosterCommand(bytes: Uint8Array): RosterCommand {
  const reader = new ByteReader(bytes);
  const command = readCommand(reader);
  reader.end();
  return command;
}

function readCommand(reader: ByteReader): RosterCommand {
  const type = TYPES[reader.byte()];
  switch (type) {
    case "open":
      return {
        type, seats: readCount(reader, 1, SEATS_MAX), name: readName(reader), spectators: reader.bool() ? "open" : "closed", votersMax: readCount(reader, 1, SEATS_MAX),
        // Logs of the first builds end here.
        ...(reader.remaining > 0 ? { seat: readCount(reader, 0, SEATS_MAX - 1), rules: readRules(reader) } : {}),
      };
    case "seat":
      return { type, peer: readPeer(reader), seat: readCount(reader, 0, SEATS_MAX - 1), name: readName(reader), ...(reader.remaining > 0 ? { stoodUpAt: reader.uint() } : {}) };
    case "vacate":
      return { type, peer: readPeer(reader) };
    case "kick":
      return { type, peer: readPeer(reader), reason: cleanText(reader.text(TEXT_BYTES_MAX), REASON_CHARS_MAX) };
    case "spectate":
      return { type, peer: readPeer(reader), name: readName(reader), spare: reader.bool() };
    case "rename":
      return { type, name: readName(reader) };
    case "rematch":
      return { type, wants: reader.bool(), game: reader.uint() };
    case "reseat":
      return { type, from: readPeer(reader), to: readPeer(reader), name: readName(reader) };
    case "core":
      return { type, peers: reader.list(() => readPeer(reader), SEATS_MAX) };
    case undefined:
    default:
      throw new MalformedError("unknown session command");
  }
}

function readPeer(reader: ByteReader): PeerId {
  const text = reader.text(PEER_BYTES_MAX);
  if (!isPeerId(text)) throw new MalformedError("not a peer id");
  return text;
}

function readName(reader: ByteReader): string {
  return cleanName(reader.text(TEXT_BYTES_MAX));
}

/** No rules are written as an empty text. */
function readRules(reader: ByteReader): string | undefined {
  return reader.text(TEXT_BYTES_MAX) || undefined;
}

function readCount(reader: ByteReader, min: number, max: number): number {
  const value = reader.uint();
  if (value < min || value > max) throw new MalformedError(`a whole number from ${min} to ${max} expected, got ${value}`);
  return value;
}

/** The session lane's reducer: hand it to the replica, so that rosters travel in snapshots. */
export const rosterLane: LaneReducer<Roster> = {
  lane: LANE_SESSION,
  initial: EMPTY_ROSTER,
  apply: applyCommitted,
  encode: encodeRoster,
  decode: decodeRoster,
};

/** The roster after one event of the log, in whatever lane: what a fold over `follow` needs. */
export function foldRoster(roster: Roster, event: LogEvent, lane: LaneReducer<Roster> = rosterLane): Roster {
  if (event.type === "install") {
    const section = event.sections.get(LANE_SESSION);
    return section === undefined ? lane.initial : lane.decode(section);
  }
  return event.lane === LANE_SESSION && !event.duplicate ? lane.apply(roster, event) : roster;
}

function applyCommitted(roster: Roster, committed: CommittedCommand): Roster {
  let command: RosterCommand;
  try {
    command = decodeRosterCommand(committed.payload);
  } catch {
    return roster; // A committed command nobody can read is void on every peer alike.
  }
  const next = applyRosterCommand(roster, command, committed.proposer, committed.index);
  if (next === roster) return roster;
  return { ...next, openedAt: roster.seats.length === 0 ? committed.time : next.openedAt, index: committed.index };
}

/** History: 1 the first one, 2 ends with the rules, 3 with the fixed core behind them, 4 says whether there is one, and ends with who gave up a seat, which game is played and who asks for the next. */
const ROSTER_FORMAT = 4;

function encodeRoster(roster: Roster): Uint8Array {
  const { core } = roster;
  const writer = new ByteWriter().byte(ROSTER_FORMAT).uint(roster.index).bool(roster.spectators === "open").uint(roster.votersMax).uint(roster.openedAt);
  writer.list(roster.seats, (taken) => {
    writer.bool(taken !== undefined);
    if (taken !== undefined) writer.text(taken.peer).text(taken.name);
  });
  writer.list(roster.watchers, (watcher) => writer.text(watcher.peer).text(watcher.name).bool(watcher.spare));
  writer.list(roster.kicked, (entry) => writer.text(entry.peer).text(entry.reason));
  writer.text(roster.rules ?? "").bool(core !== undefined);
  if (core !== undefined) writer.list(core, (peer) => writer.text(peer));
  return writer.list(roster.stood, ({ peer, index }) => writer.text(peer).uint(index)).uint(roster.game).list(roster.asked, (peer) => writer.text(peer)).finish();
}

function decodeRoster(section: Uint8Array): Roster {
  const reader = new ByteReader(section);
  const format = reader.byte();
  if (format < 1 || format > ROSTER_FORMAT) throw new MalformedError(`roster format ${format} where ${ROSTER_FORMAT} is known`);
  const index = reader.uint();
  const spectators = reader.bool() ? "open" : "closed";
  const votersMax = readCount(reader, 1, SEATS_MAX);
  const openedAt = reader.uint();
  const seats = reader.list(() => (reader.bool() ? { peer: readPeer(reader), name: readName(reader) } : undefined), SEATS_MAX);
  const watchers = reader.list(() => ({ peer: readPeer(reader), name: readName(reader), spare: reader.bool() }), WATCHERS_MAX);
  const kicked = reader.list(() => ({ peer: readPeer(reader), reason: reader.text(TEXT_BYTES_MAX) }), KICKED_MAX);
  const rules = format === 1 ? undefined : readRules(reader);
  const hasCore = format === 3 || (format > 3 && reader.bool());
  const core = hasCore ? reader.list(() => readPeer(reader), SEATS_MAX) : undefined;
  const stood = format < 4 ? [] : reader.list(() => ({ peer: readPeer(reader), index: reader.uint() }), STOOD_MAX);
  const game = format < 4 ? 1 : reader.uint();
  const asked = format < 4 ? [] : reader.list(() => readPeer(reader), SEATS_MAX);
  reader.end();
  return { seats, watchers, kicked, stood, spectators, votersMax, game, asked, rules, core, openedAt, index };
}
