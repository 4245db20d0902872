// A match as one file: what game it is, and its log. Read for replay, and folded to a state from which another match begins.
import { ByteReader, ByteWriter, hasCode, InvalidArgumentError, type LogIndex, type PeerId } from "./base/index.ts";
import { encodeGameSection, replay, replaySteps, RulesMismatchError, type DefinedGame, defineGame, type Game, type Recording, type RecordedTurn, type ReplayStep, type Seat } from "./game/index.ts";
import { CorruptStateError, exportedEvents, foldedExport, LANE_GAME, openRecord, readExport, sealRecord, type LogEvent } from "./replica/index.ts";
import { EMPTY_ROSTER, foldRoster, RosterWalk, seatOf, SEATS_MAX, type Roster } from "./session/index.ts";

/** First field of every file. History: 1 rules, seats, log. */
const FILE_VERSION = 1;
/** What the checksum is bound to, and what errors name. */
const FILE = "match";
const RULES_BYTES_MAX = 512;

/** What a match's file is made of. */
export interface MatchFile {
  /** `name@version` of the game. */
  readonly rules: string;
  readonly seats: number;
  /** What the node's `exportLog` gave. */
  readonly log: Uint8Array;
}

/** A match read from its file: any state it ever had, without a network, in any engine. */
export interface ImportedMatch<State, Action> {
  /** `name@version` of the game. */
  readonly rules: string;
  readonly seats: number;
  /** Names by seat at the end of the file; undefined: a free seat. */
  readonly players: readonly (string | undefined)[];
  /** Where the file begins: 0, or the index of the snapshot that stands for everything before it. */
  readonly firstIndex: LogIndex;
  /** The last index in it. */
  readonly lastIndex: LogIndex;
  /** Every turn, to be replayed, cut or kept. */
  readonly recording: Recording;
  /** The match step by step, from its start. Lazy. */
  steps(): Generator<ReplayStep<State, Action>, void, void>;
  /** The game after everything up to and including `index`. Default: the end. Cost: that of replaying up to there. */
  at(index?: LogIndex): ReplayStep<State, Action>;
}

/** What a new match begins with. */
export interface Beginning {
  readonly seats: number;
  /** The seat whoever opens it takes: the one asked for, else the one this peer held there, else 0. */
  readonly seatFor: (peer: PeerId) => Seat;
  /** For `ReplicaOptions.founding`. */
  readonly log: Uint8Array;
}

/** How a match begins from a file. */
export interface BeginningOptions {
  readonly file: Uint8Array;
  readonly at: LogIndex | undefined;
  readonly as: Seat | undefined;
  /** How many seats are asked for. */
  readonly seats: number | undefined;
}

/** The file's bytes: sealed, so that damage is found. */
export function encodeMatchFile({ rules, seats, log }: MatchFile): Uint8Array {
  return sealRecord(FILE, new ByteWriter().uint(FILE_VERSION).text(rules).uint(seats).bytes(log).finish());
}

/** Reads it back. Throws `CorruptStateError` (record `match`) for anything else, or a damaged one. */
export function decodeMatchFile(file: Uint8Array): MatchFile {
  const reader = new ByteReader(openRecord(FILE, file));
  try {
    const version = reader.uint();
    if (version !== FILE_VERSION) throw new CorruptStateError(FILE, `format version ${version}, this build reads ${FILE_VERSION}`);
    const read: MatchFile = { rules: reader.text(RULES_BYTES_MAX), seats: reader.uint(), log: reader.bytes() };
    reader.end();
    if (read.seats < 1 || read.seats > SEATS_MAX) throw new CorruptStateError(FILE, `${read.seats} seats`);
    return read;
  } catch (cause) {
    throw hasCode(cause, "malformed") ? new CorruptStateError(FILE, "it can not be decoded", { cause }) : cause;
  }
}

/** The match as one file: the same as `match.export()`. */
export function exportMatch(match: { readonly export: () => Promise<Uint8Array> }): Promise<Uint8Array> {
  return match.export();
}

/**
 * Reads a match out of the file `match.export()` gave. Throws `CorruptStateError` for a file that is damaged or none, `RulesMismatchError` for one of
 * another game or version, `UnknownLaneError` for one that a newer build has to read. Cost: one pass over its log; states are computed when asked for.
 */
export function importMatch<State, Action>(game: Game<State, Action>, file: Uint8Array): ImportedMatch<State, Action> {
  const defined = defineGame(game);
  const { match } = open(defined, file);
  return match;
}

/** The start of another match in this one's state. Throws as {@link importMatch} does, and `InvalidArgumentError` for seats or an index that are not the file's. */
export function beginningFrom<State, Action>(game: DefinedGame<State, Action>, { file, at, as, seats }: BeginningOptions): Beginning {
  const { match, log, rosterAt } = open(game, file);
  if (seats !== undefined && seats !== match.seats) throw new InvalidArgumentError(`this match has ${match.seats} seats, ${seats} were asked for`);
  if (as !== undefined && !(Number.isInteger(as) && as >= 0 && as < match.seats)) throw new InvalidArgumentError(`as is a seat from 0 to ${match.seats - 1}, got ${as}`);
  const through = at ?? match.lastIndex;
  if (!Number.isInteger(through) || through < Math.max(1, match.firstIndex) || through > match.lastIndex) throw new InvalidArgumentError(`at is an index from ${Math.max(1, match.firstIndex)} to ${match.lastIndex}, got ${through}`);
  const { state, count, time } = match.at(through);
  const roster = rosterAt(through);
  return { seats: match.seats, seatFor: (peer) => as ?? seatOf(roster, peer) ?? 0, log: foldedExport(log, { section: encodeGameSection(game, { state, count, time }), through }) };
}

interface Opened<State, Action> {
  readonly match: ImportedMatch<State, Action>;
  readonly log: Uint8Array;
  readonly rosterAt: (index: LogIndex) => Roster;
}

function open<State, Action>(game: DefinedGame<State, Action>, file: Uint8Array): Opened<State, Action> {
  const { rules, seats, log } = decodeMatchFile(file);
  if (rules !== game.rules) throw new RulesMismatchError(game.rules, rules);
  const events = exportedEvents(log);
  const { recording, roster } = recordingOf(events, { rules, seats });
  if (roster.rules !== undefined && roster.rules !== game.rules) throw new RulesMismatchError(game.rules, roster.rules);
  const match: ImportedMatch<State, Action> = {
    rules, seats, recording,
    players: Array.from({ length: seats }, (_, seat) => roster.seats[seat]?.name),
    firstIndex: recording.start.index,
    lastIndex: readExport(log).index,
    steps: () => replaySteps(game, recording),
    at: (index) => replay(game, recording, index),
  };
  // The start is decoded now, so that a file that can not be played is refused here and not while it plays.
  try {
    match.steps().next();
  } catch (cause) {
    throw hasCode(cause, "malformed") ? new CorruptStateError(FILE, "the state it begins with can not be decoded", { cause }) : cause;
  }
  return { match, log, rosterAt: (index) => events.filter((event) => event.index <= index).reduce((before, event) => foldRoster(before, event), EMPTY_ROSTER) };
}

/** Who acted is decided where the action stands in the log. */
function recordingOf(events: readonly LogEvent[], match: { readonly rules: string; readonly seats: number }): { readonly recording: Recording; readonly roster: Roster } {
  const walk = new RosterWalk();
  let start: Recording["start"] = { index: 0, section: undefined };
  const turns: RecordedTurn[] = [];
  for (const event of events) {
    walk.observe(event);
    if (event.type === "install") start = { index: event.index, section: event.sections.get(LANE_GAME) };
    else if (event.lane === LANE_GAME) turns.push(turnOf(event, walk.playerOf(event.proposer)));
    else if (walk.isBeginning()) turns.push({ ...turnOf(event, undefined), payload: new Uint8Array(0), begins: true });
  }
  return { recording: { ...match, start, turns }, roster: walk.roster };
}

function turnOf({ index, time, proposer, key, duplicate, payload }: LogEvent & { type: "command" }, player: Seat | undefined): RecordedTurn {
  return { index, time, player, proposer, dedupKey: key, duplicate, payload };
}
