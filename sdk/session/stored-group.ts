// Which group this peer's storage belongs to, so that a tab that comes back finds its place again.
import { ByteReader, ByteWriter, hasCode, MalformedError } from "../base/index.ts";
import { CorruptStateError, openRecord, sealRecord } from "../replica/index.ts";
import { scopedByteStore, type ByteStore } from "../storage/index.ts";

const GROUP = "session/group";
const GROUP_ID_BYTES_MAX = 256;

/** The group this peer was last in. */
export interface StoredGroup {
  readonly groupId: string;
  /** It held a seat there when it was last heard of. */
  readonly seated: boolean;
  /** It voted there: without it the others may not be able to decide. */
  readonly voted: boolean;
}

/** The last group of this storage; undefined when it never was in one. Throws `CorruptStateError` naming the record. */
export async function readStoredGroup(storage: ByteStore): Promise<StoredGroup | undefined> {
  const record = await storage.read(GROUP);
  if (record === undefined) return undefined;
  const reader = new ByteReader(openRecord(GROUP, record));
  try {
    const [groupId, seated] = [reader.text(GROUP_ID_BYTES_MAX), reader.bool()];
    // Records of the first builds end here: there a seat was what brought one back.
    const group: StoredGroup = { groupId, seated, voted: reader.remaining > 0 ? reader.bool() : seated };
    reader.end();
    if (group.groupId === "") throw new MalformedError("no group id");
    return group;
  } catch (cause) {
    if (hasCode(cause, "malformed")) throw new CorruptStateError(GROUP, "it can not be decoded", { cause });
    throw cause;
  }
}

/** Remembers the group; `undefined` forgets it (its log stays where it is, so that the old vote is never given again). */
export async function writeStoredGroup(storage: ByteStore, group: StoredGroup | undefined): Promise<void> {
  if (group === undefined) return storage.write([{ type: "delete", key: GROUP }]);
  const body = new ByteWriter().text(group.groupId).bool(group.seated).bool(group.voted).finish();
  return storage.write([{ type: "put", key: GROUP, value: sealRecord(GROUP, body) }]);
}

/** Where a group's log lives: each group of a peer apart, none ever reused, because a vote forgotten is a vote given twice. */
export function storageOfGroup(storage: ByteStore, groupId: string): ByteStore {
  return scopedByteStore(storage, `group/${groupId}/`);
}
