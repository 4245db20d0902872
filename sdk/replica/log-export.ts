// A match as one file: the committed state and the commands after it, without anything a vote could be made of.
//
// What is left out on purpose: term, vote and membership. They are promises of one group's members to each other, and a copy of them in a second
// browser would be a second voter under one name. A group founded from a file is a new one, under a new id, whose log begins with the old one's content
// at the same indexes; so the exactly-once table, whose entries name indexes, stays true.
import { ByteReader, ByteWriter, hasCode, InvalidArgumentError, MalformedError, PayloadTooLargeError, type LogIndex, type PeerId } from "../base/index.ts";
import { bootstrapState, CorruptStateError, decodeMembership, ENTRY_COMMAND, ENTRY_NOOP, type Entry, type RestoredState } from "../raft/index.ts";
import { openRecord, sealRecord } from "./record.ts";

/** First field of every file. History: 1, the first one. */
const EXPORT_VERSION = 1;
/** What the checksum is bound to, and what errors name. */
const EXPORT = "export";
/** Founders' logs begin in this term; nobody is ever elected in it. */
const FOUNDING_TERM = 1;
const GROUP_BYTES_MAX = 256;

/** What a node has committed, as it goes into a file. */
export interface CommittedImage {
  readonly groupId: string;
  /** The state through `index`; absent where the log is held from its beginning. */
  readonly snapshot: { readonly index: LogIndex; readonly time: number; readonly data: Uint8Array } | undefined;
  /** Everything after it up to the last index applied. */
  readonly entries: readonly Entry[];
}

/** What a file made by `exportLog` says about itself. */
export interface ExportedLog {
  /** The group it was taken from. */
  readonly groupId: string;
  /** The last index in it. */
  readonly index: LogIndex;
  /** Commands in it that are not part of its snapshot. */
  readonly commands: number;
}

/** The file's bytes: sealed, so that damage is found. */
export function encodeExport({ groupId, snapshot, entries }: CommittedImage): Uint8Array {
  const writer = new ByteWriter().uint(EXPORT_VERSION).text(groupId);
  writer.uint(snapshot?.index ?? 0).uint(snapshot?.time ?? 0).bytes(snapshot?.data ?? new Uint8Array(0));
  let time = 0;
  writer.list(entries, (entry) => {
    const isCommand = entry.kind === ENTRY_COMMAND;
    writer.bool(isCommand).uint(entry.time - time);
    if (isCommand) writer.bytes(entry.data);
    time = entry.time;
  });
  return sealRecord(EXPORT, writer.finish());
}

/** Looks into a file made by `exportLog`. Throws `CorruptStateError` (record `export`) for anything else, or a damaged one. */
export function readExport(bytes: Uint8Array): ExportedLog {
  const { groupId, snapshot, entries } = decodeExport(bytes);
  return { groupId, index: (snapshot?.index ?? 0) + entries.length, commands: entries.filter(({ kind }) => kind === ENTRY_COMMAND).length };
}

/**
 * The state a founder of a new group starts with. The same file and voters give every founder the same log. Throws `CorruptStateError` for a file
 * that is none, `InvalidArgumentError` when the group is to have the id of the one the file came from (its members may still be alive), `PayloadTooLargeError`.
 */
export function foundFrom(bytes: Uint8Array, group: { readonly id: PeerId; readonly groupId: string; readonly voters: readonly PeerId[]; readonly snapshotBytesMax: number }): RestoredState {
  const { groupId, snapshot, entries } = decodeExport(bytes);
  if (groupId === group.groupId) throw new InvalidArgumentError(`a group founded from a file of group ${groupId} must have another id`);
  if (snapshot !== undefined && snapshot.data.length > group.snapshotBytesMax) throw new PayloadTooLargeError(snapshot.data.length, group.snapshotBytesMax, "snapshot");
  const founding = bootstrapState(group.id, group.voters);
  const [first] = founding.entries;
  if (first === undefined) return founding;
  const last = (snapshot?.index ?? 0) + entries.length;
  const hardState = { term: FOUNDING_TERM, vote: undefined, commit: Math.max(last, 1) };
  // Where the log is whole its first entry was the old group's founding, and becomes the new one's.
  if (snapshot === undefined) return { hardState, snapshot: undefined, entries: [first, ...entries.slice(1)] };
  return { hardState, snapshot: { ...snapshot, term: FOUNDING_TERM, membership: decodeMembership(first.data) }, entries };
}

/** What is in a file. Throws `CorruptStateError`. */
export function decodeExport(bytes: Uint8Array): CommittedImage {
  const reader = new ByteReader(openRecord(EXPORT, bytes));
  try {
    const image = readImage(reader);
    reader.end();
    return image;
  } catch (cause) {
    if (hasCode(cause, "malformed")) throw new CorruptStateError(EXPORT, "it can not be decoded", { cause });
    throw cause;
  }
}

function readImage(reader: ByteReader): CommittedImage {
  const version = reader.uint();
  if (version !== EXPORT_VERSION) throw new CorruptStateError(EXPORT, `format version ${version}, this build reads ${EXPORT_VERSION}`);
  const groupId = reader.text(GROUP_BYTES_MAX);
  const [index, snapshotTime, data] = [reader.uint(), reader.uint(), reader.bytes()];
  const entries: Entry[] = [];
  let time = 0;
  reader.list(() => {
    const kind = reader.bool() ? ENTRY_COMMAND : ENTRY_NOOP;
    time += reader.uint();
    entries.push({ index: index + entries.length + 1, term: FOUNDING_TERM, kind, time, data: kind === ENTRY_COMMAND ? reader.bytes() : new Uint8Array(0) });
  }, Number.MAX_SAFE_INTEGER);
  if (index === 0 && entries[0]?.kind === ENTRY_COMMAND) throw new MalformedError("a log that does not begin with its founding");
  return { groupId, snapshot: index === 0 ? undefined : { index, time: snapshotTime, data }, entries };
}
