// A match as a file: where it started and every committed action since. Not for replaying: replay.ts does.
import { ByteReader, ByteWriter, MalformedError, peerId, type LogIndex, type PeerId } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { Seat } from "./game.ts";

/** Version of the file's layout. History: 1 rules, seats, start, turns; 2 each turn says whether the game begins anew there. */
export const RECORDING_VERSION = 2;

/** Most turns one file may hold: a million 64-byte actions are about 100 MB in memory. */
export const RECORDING_TURNS_MAX = 1_000_000;

/** One committed action as the log had it. */
export interface RecordedTurn {
  readonly index: LogIndex;
  readonly time: number;
  readonly player: Seat | undefined;
  readonly proposer: PeerId;
  readonly dedupKey: DedupKey;
  readonly duplicate: boolean;
  readonly payload: Uint8Array;
  /** The game begins anew here, from its setup, and this is no action. */
  readonly begins?: boolean | undefined;
}

/** A match, or its part after a snapshot. Plain values; share it freely. */
export interface Recording {
  /** `name@version` of the game. */
  readonly rules: string;
  readonly seats: number;
  /** The state before the first turn: a game section taken after `index`, or undefined for the game's own start. */
  readonly start: { readonly index: LogIndex; readonly section: Uint8Array | undefined };
  /** By strictly increasing index, all after `start.index`. */
  readonly turns: readonly RecordedTurn[];
}

const MAGIC = "flotilla-recording";
const RULES_BYTES_MAX = 512;
const PEER_BYTES_MAX = 512;
const CLIENT_BYTES_MAX = 256;

/** The recording as bytes, to be kept or sent as one file. */
export function encodeRecording(recording: Recording): Uint8Array {
  const { rules, seats, start, turns } = recording;
  const writer = new ByteWriter().text(MAGIC).byte(RECORDING_VERSION).text(rules).uint(seats).uint(start.index);
  writer.bool(start.section !== undefined);
  if (start.section !== undefined) writer.bytes(start.section);
  return writer.list(turns, (turn) => writeTurn(writer, turn)).finish();
}

/** Reads a recording back. Throws `MalformedError` for bytes that are none, or of a version this SDK does not read. */
export function decodeRecording(bytes: Uint8Array): Recording {
  const reader = new ByteReader(bytes);
  if (reader.text(MAGIC.length) !== MAGIC) throw new MalformedError("not a recording of a match");
  const version = reader.byte();
  if (version < 1 || version > RECORDING_VERSION) throw new MalformedError(`a recording of version ${version}, this SDK reads ${RECORDING_VERSION}`);
  const rules = reader.text(RULES_BYTES_MAX);
  const seats = reader.uint();
  const index = reader.uint();
  const section = reader.bool() ? reader.bytes().slice() : undefined;
  let last = index;
  const turns = reader.list(() => {
    const turn = readTurn(reader, version);
    if (turn.index <= last) throw new MalformedError(`turn ${turn.index} stands after ${last}`);
    last = turn.index;
    return turn;
  }, RECORDING_TURNS_MAX);
  reader.end();
  return { rules, seats, start: { index, section }, turns };
}

/** The recording up to and including `index`: where another match may branch off. */
export function cutRecording(recording: Recording, index: LogIndex): Recording {
  return { ...recording, turns: recording.turns.filter((turn) => turn.index <= index) };
}

function writeTurn(writer: ByteWriter, turn: RecordedTurn): void {
  const { index, time, player, proposer, dedupKey, duplicate, payload, begins = false } = turn;
  writer.uint(index).uint(Math.max(0, Math.floor(time))).uint(player === undefined ? 0 : player + 1).text(proposer);
  writer.text(dedupKey.clientId).uint(dedupKey.requestId).bool(duplicate).bytes(payload).bool(begins);
}

function readTurn(reader: ByteReader, version: number): RecordedTurn {
  const index = reader.uint();
  const time = reader.uint();
  const seat = reader.uint();
  return {
    index,
    time,
    player: seat === 0 ? undefined : seat - 1,
    proposer: readPeer(reader),
    dedupKey: { clientId: reader.text(CLIENT_BYTES_MAX), requestId: reader.uint() },
    duplicate: reader.bool(),
    payload: reader.bytes().slice(),
    ...(version > 1 && reader.bool() ? { begins: true } : {}),
  };
}

function readPeer(reader: ByteReader): PeerId {
  const text = reader.text(PEER_BYTES_MAX);
  try {
    return peerId(text);
  } catch (cause) {
    throw new MalformedError("a recorded proposer is no peer id", { cause });
  }
}
