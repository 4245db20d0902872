// A node's records where a match keeps them: the room's database, in it the identity's scope, in it the group's.
import { scopedByteStore, type ByteStore } from "../../storage/index.ts";
import type { IndexedDbByteStore } from "../../storage/indexeddb/index.ts";

const identityScope = (peer: string): string => `peer/${peer}/`;
const groupScope = (groupId: string): string => `group/${groupId}/`;

/** What every key of that node begins with. */
export const scopeIn = (peer: string, groupId: string): string => identityScope(peer) + groupScope(groupId);

/** The node's own store, scoped twice as a match does. */
export function storeIn(db: IndexedDbByteStore, peer: string, groupId: string): ByteStore {
  return scopedByteStore(scopedByteStore(db, identityScope(peer)), groupScope(groupId));
}
