// What is inside a match's file, without running a node: the events a follower of its log would hear, and the same match folded to one state.
import { hasCode, InvalidArgumentError, type LogIndex } from "../base/index.ts";
import { CorruptStateError, ENTRY_COMMAND, type Entry } from "../raft/index.ts";
import { AppliedLog } from "./applied-log.ts";
import { decodeHead } from "./envelope.ts";
import { decodeParts, encodeParts, Fold } from "./fold.ts";
import { decodeExport, encodeExport, type CommittedImage } from "./log-export.ts";
import { LANE_GAME, type LogEvent } from "./ordered-log.ts";

/** How a match is folded. */
export interface FoldedExport {
  /** The game lane's section after `through`. */
  readonly section: Uint8Array;
  /** Everything after it is left out. Default: the last index in the file. */
  readonly through?: LogIndex | undefined;
}

/**
 * What a node founded from the file would deliver: an install first, where the file begins with a snapshot, then every command. Throws `CorruptStateError`
 * for a file that is none or is damaged, `UnknownLaneError` for one this build can not apply. Cost: that of applying all of it.
 */
export function exportedEvents(file: Uint8Array): readonly LogEvent[] {
  const image = decodeExport(file);
  const before = image.snapshot?.index ?? 0;
  const log = new AppliedLog([], (from, through) => image.entries.slice(from - 1 - before, through - before));
  if (image.snapshot !== undefined) log.install(image.snapshot.index, image.snapshot.data);
  for (const entry of image.entries) {
    if (entry.kind === ENTRY_COMMAND) log.apply(entry);
    else log.skip(entry.index);
  }
  if (log.failure !== undefined) throw hasCode(log.failure, "malformed") ? unreadable(log.failure) : log.failure;
  return log.replay(1);
}

/**
 * A file of the same match that begins where this one ends, or at `through`: one state of the game and the exactly-once table, no history, and nothing of
 * the other lanes, since who sat where and who owned what is over in another group. Throws `CorruptStateError` for a file that is none, and
 * `InvalidArgumentError` for an index that is not in it.
 */
export function foldedExport(file: Uint8Array, { section, through }: FoldedExport): Uint8Array {
  const image = decodeExport(file);
  const first = image.snapshot?.index ?? 1;
  const last = (image.snapshot?.index ?? 0) + image.entries.length;
  const index = through ?? last;
  if (!Number.isInteger(index) || index < first || index > last) throw new InvalidArgumentError(`an index in this file is from ${first} to ${last}, got ${index}`);
  const entries = image.entries.filter((entry) => entry.index <= index);
  const table = tableAfter(image, entries).table.encode();
  const time = entries.at(-1)?.time ?? image.snapshot?.time ?? 0;
  return encodeExport({ groupId: image.groupId, snapshot: { index, time, data: encodeParts({ table, sections: new Map([[LANE_GAME, section]]) }) }, entries: [] });
}

function tableAfter({ snapshot }: CommittedImage, entries: readonly Entry[]): Fold {
  const fold = new Fold([]);
  try {
    if (snapshot !== undefined) fold.restore(decodeParts(snapshot.data));
  } catch (cause) {
    throw unreadable(cause);
  }
  for (const entry of entries) {
    const head = entry.kind === ENTRY_COMMAND ? headOf(entry.data) : undefined;
    if (head !== undefined) fold.table.admit(head, entry.index);
  }
  return fold;
}

function unreadable(cause: unknown): CorruptStateError {
  return new CorruptStateError("export", "the snapshot in it can not be read", { cause });
}

/** A committed command that is no envelope is passed over, as every node does. */
function headOf(data: Uint8Array): ReturnType<typeof decodeHead> | undefined {
  try {
    return decodeHead(data);
  } catch {
    return undefined;
  }
}
