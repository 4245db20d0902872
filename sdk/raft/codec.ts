// Bytes on the wire and back. One frame is one message; nothing but `MalformedError` is ever thrown for bytes from outside.
import { ByteReader, ByteWriter, MalformedError, NO_BYTES, unreachable } from "../base/index.ts";
import { RunReader, RunWriter } from "./byte-run.ts";
import { readMembership, writeMembership } from "./membership.ts";
import type { AppendRequest, ForwardReply, Message, SnapshotChunk } from "./message.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, ENTRY_NOOP, type Entry, type EntryKind } from "./types.ts";

/**
 * First byte of every frame; a frame of another version is refused. History:
 * - 1: the first one.
 */
export const PROTOCOL_VERSION = 1;

/** Entries of one append message at most: a bound for the list before anything is allocated. */
export const APPEND_ENTRIES_MAX = 65_536;
/** Commands of one forward message at most. */
export const FORWARD_COMMANDS_MAX = 65_536;
/** Bytes of a digest; 8 are written, a later version may write more. */
const DIGEST_BYTES_MAX = 64;

const TYPES = [
  "pre-vote", "pre-vote-reply", "vote", "vote-reply", "append", "append-reply", "heartbeat", "heartbeat-reply",
  "snapshot-chunk", "snapshot-reply", "forward", "forward-reply", "read", "read-reply", "timeout-now", "parting-grant",
] as const satisfies readonly Message["type"][];
const TYPE_BYTE: ReadonlyMap<string, number> = new Map(TYPES.map((type, byte) => [type, byte]));
const REASONS = ["not-leader", "busy", "transferring"] as const satisfies readonly ForwardReply["reason"][];

/** The bytes of a message: version, type, term, then its fields in the order of message.ts. The result is new and the caller's. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  writeMessage(writer, message);
  return writer.finish();
}

/** Writes what {@link encodeMessage} returns, for one who puts something in front of it. */
export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.byte(PROTOCOL_VERSION).byte(TYPE_BYTE.get(message.type) ?? 255).uint(message.term);
  switch (message.type) {
    case "pre-vote":
      writer.uint(message.lastIndex).uint(message.lastTerm);
      break;
    case "vote":
      writer.uint(message.lastIndex).uint(message.lastTerm).bool(message.transfer);
      break;
    case "pre-vote-reply":
    case "vote-reply":
      writer.bool(message.granted);
      break;
    case "append":
      writeAppend(writer, message);
      break;
    case "append-reply":
      writer.bool(message.ok).uint(message.index).uint(message.hintIndex).uint(message.hintTerm);
      break;
    case "heartbeat":
      writer.uint(message.commit).uint(message.round);
      break;
    case "heartbeat-reply":
      writer.uint(message.round);
      break;
    case "snapshot-chunk":
      writer.uint(message.index).uint(message.indexTerm).uint(message.time);
      writeMembership(writer, message.membership);
      writer.uint(message.total).bytes(message.digest).uint(message.offset).bytes(message.bytes);
      break;
    case "snapshot-reply":
      writer.uint(message.index).uint(message.offset).bool(message.installed);
      break;
    case "forward":
      writeCommands(writer, message.commands);
      break;
    case "forward-reply":
      writer.uint(message.accepted).uint(message.refused).byte(REASONS.indexOf(message.reason));
      break;
    case "read":
      writer.uint(message.id);
      break;
    case "read-reply":
      writer.uint(message.id).bool(message.ok).uint(message.index);
      break;
    case "timeout-now":
      break;
    case "parting-grant":
      writer.uint(message.lastIndex).uint(message.lastTerm).uint(message.commit);
      break;
    default:
      unreachable(message);
  }
}

/** The message of a frame; byte fields are views on it. Throws `MalformedError` for anything {@link encodeMessage} could not have made. */
export function decodeMessage(frame: Uint8Array): Message {
  return decodeMessageFrom(frame, 0);
}

/** {@link decodeMessage} of the bytes from `start` to the end, without a view of its own. */
export function decodeMessageFrom(frame: Uint8Array, start: number): Message {
  const reader = new ByteReader(frame, start);
  const version = reader.byte();
  if (version !== PROTOCOL_VERSION) throw new MalformedError(`a frame of protocol version ${version}, this is version ${PROTOCOL_VERSION}`);
  const byte = reader.byte();
  const type = TYPES[byte];
  if (type === undefined) throw new MalformedError(`no message has type ${byte}`);
  const message = readFields(reader, type, reader.uint());
  reader.end();
  return message;
}

function readFields(reader: ByteReader, type: Message["type"], term: number): Message {
  switch (type) {
    case "pre-vote":
      return { type, term, lastIndex: reader.uint(), lastTerm: reader.uint() };
    case "vote":
      return { type, term, lastIndex: reader.uint(), lastTerm: reader.uint(), transfer: reader.bool() };
    case "pre-vote-reply":
    case "vote-reply":
      return { type, term, granted: reader.bool() };
    case "append":
      return readAppend(reader, term);
    case "append-reply":
      return { type, term, ok: reader.bool(), index: reader.uint(), hintIndex: reader.uint(), hintTerm: reader.uint() };
    case "heartbeat":
      return { type, term, commit: reader.uint(), round: reader.uint() };
    case "heartbeat-reply":
      return { type, term, round: reader.uint() };
    case "snapshot-chunk":
      return readChunk(reader, term);
    case "snapshot-reply":
      return { type, term, index: reader.uint(), offset: reader.uint(), installed: reader.bool() };
    case "forward":
      return { type, term, commands: readCommands(reader) };
    case "forward-reply":
      return { type, term, accepted: reader.uint(), refused: reader.uint(), reason: readReason(reader) };
    case "read":
      return { type, term, id: reader.uint() };
    case "read-reply":
      return { type, term, id: reader.uint(), ok: reader.bool(), index: reader.uint() };
    case "timeout-now":
      return { type, term };
    case "parting-grant":
      return { type, term, lastIndex: reader.uint(), lastTerm: reader.uint(), commit: reader.uint() };
    default:
      return unreachable(type);
  }
}

function writeCommands(writer: ByteWriter, commands: readonly Uint8Array[]): void {
  const run = new RunWriter(writer);
  let laterBytes = 0;
  for (let i = 1; i < commands.length; i += 1) laterBytes += commands[i]?.length ?? 0;
  run.start(commands.length, laterBytes);
  for (const command of commands) run.next(command);
}

function readCommands(reader: ByteReader): Uint8Array[] {
  const run = new RunReader(reader, { max: FORWARD_COMMANDS_MAX, bytesMin: 1 });
  const commands: Uint8Array[] = [];
  for (let i = 0; i < run.length; i += 1) commands.push(run.next());
  run.end();
  return commands;
}

/** Bits of an entry's first byte beside its kind: its term, or its time, is another than that of the one before, and how much later follows. */
const OTHER_TERM = 4;
const OTHER_TIME = 8;

/** Terms and times travel as differences to the one before, and not at all where there is none: a run of one leader's entries costs a byte each. */
function writeHead(writer: ByteWriter, kind: EntryKind, laterTerm: number, laterTime: number): void {
  writer.byte(kind + (laterTerm === 0 ? 0 : OTHER_TERM) + (laterTime === 0 ? 0 : OTHER_TIME));
  if (laterTerm !== 0) writer.uint(laterTerm);
  if (laterTime !== 0) writer.uint(laterTime);
}

function writeAppend(writer: ByteWriter, message: AppendRequest): void {
  writer.uint(message.prevIndex).uint(message.prevTerm).uint(message.commit);
  const run = new RunWriter(writer);
  let laterBytes = 0;
  for (let i = 1; i < message.entries.length; i += 1) laterBytes += message.entries[i]?.data.length ?? 0;
  run.start(message.entries.length, laterBytes);
  let term = message.prevTerm;
  let time = 0;
  for (const entry of message.entries) {
    writeHead(writer, entry.kind, entry.term - term, entry.time - time);
    run.next(entry.data);
    term = entry.term;
    time = entry.time;
  }
}

function readAppend(reader: ByteReader, term: number): AppendRequest {
  const prevIndex = reader.uint();
  const prevTerm = reader.uint();
  const commit = reader.uint();
  const run = new RunReader(reader, { max: APPEND_ENTRIES_MAX, bytesMin: 2 });
  const entries: Entry[] = [];
  let entryTerm = prevTerm;
  let time = 0;
  for (let i = 1; i <= run.length; i += 1) {
    const head = reader.byte();
    if (head >= 2 * OTHER_TIME) throw new MalformedError(`an entry that begins with ${head}`);
    if ((head & OTHER_TERM) !== 0) entryTerm = safe(entryTerm + readLater(reader));
    if ((head & OTHER_TIME) !== 0) time = safe(time + readLater(reader));
    entries.push({ index: safe(prevIndex + i), term: entryTerm, kind: kindOf(head & (OTHER_TERM - 1)), time, data: run.next() });
  }
  run.end();
  return { type: "append", term, prevIndex, prevTerm, commit, entries };
}

function readChunk(reader: ByteReader, term: number): SnapshotChunk {
  const index = reader.uint();
  const indexTerm = reader.uint();
  const time = reader.uint();
  const membership = readMembership(reader);
  const total = reader.uint();
  const digest = reader.bytes(DIGEST_BYTES_MAX);
  return { type: "snapshot-chunk", term, index, indexTerm, time, membership, total, digest, offset: reader.uint(), bytes: reader.bytes() };
}

/** A difference that is said is one: there is one way to write an entry. */
function readLater(reader: ByteReader): number {
  const later = reader.uint();
  if (later === 0) throw new MalformedError("a difference of nothing");
  return later;
}

function kindOf(kind: number): EntryKind {
  if (kind === ENTRY_COMMAND || kind === ENTRY_NOOP || kind === ENTRY_MEMBERSHIP) return kind;
  throw new MalformedError(`no entry is of kind ${kind}`);
}

function readReason(reader: ByteReader): ForwardReply["reason"] {
  const reason = REASONS[reader.byte()];
  if (reason === undefined) throw new MalformedError("a refusal without a known reason");
  return reason;
}

function safe(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new MalformedError("a whole number is too large");
}

/** The bytes of one entry on disk or in an export, without its index. */
export function encodeEntry(entry: Entry): Uint8Array {
  return new ByteWriter().uint(entry.term).byte(entry.kind).uint(entry.time).bytes(entry.data.length === 0 ? NO_BYTES : entry.data).finish();
}

/** The entry at `index` from {@link encodeEntry}'s bytes; throws `MalformedError`. `data` is a view. */
export function decodeEntry(index: number, bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes);
  const entry: Entry = { index, term: reader.uint(), kind: kindOf(reader.byte()), time: reader.uint(), data: reader.bytes() };
  reader.end();
  return entry;
}
