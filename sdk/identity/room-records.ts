// What a room's database knows of identities: their keys, and a mark among their records. Both are written and deleted in one transaction.
import { bytesEqual, hasCode, isPeerId, type PeerId } from "../base/index.ts";
import { fencedByteStore, fenceKey, mustOwn, ownerCondition, StoreFence, type OwnershipFence } from "../durable/index.ts";
import { scopedByteStore, type ByteStore, type ByteStoreOp } from "../storage/index.ts";
import type { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import type { KeyPair } from "./identity.ts";
import { isPublicKeyShaped, peerIdOfKey } from "./peer-id.ts";

/** One identity of a room, as stored. */
export interface StoredIdentity extends KeyPair {
  readonly peerId: PeerId;
  /** When a tab last opened or released it, ms since 1970. */
  readonly usedAtMs: number;
  /** Its records are lost or damaged: its key proves who one was, and nobody writes or votes under it again. */
  readonly isSpent: boolean;
}

/** An identity whose records this tab may write, as long as the fence is in force. */
export interface OwnedIdentity {
  readonly identity: StoredIdentity;
  readonly fence: OwnershipFence;
}

const FORMAT = 1;

/** Every identity of the room that can be told to be one, and the keys of what can not. */
export async function readIdentities(db: IndexedDbByteStore): Promise<{ readonly whole: readonly StoredIdentity[]; readonly damaged: readonly string[] }> {
  const whole: StoredIdentity[] = [];
  const damaged: string[] = [];
  for (const [key, value] of await db.readValues()) {
    const identity = identityFrom(key, value);
    if (identity === undefined) damaged.push(key);
    else whole.push(identity);
  }
  return { whole, damaged };
}

/** Writes a new identity and the mark of its log. */
export async function createIdentity(db: IndexedDbByteStore, identity: StoredIdentity): Promise<void> {
  await db.write([{ type: "put", key: markOf(identity.peerId), value: identity.publicKey }], [valueOf(identity)]);
}

/** Writes when it was used. Its records are not touched. Rejects with `storage-conflict` once they are another tab's, which may have spent or erased the key. */
export async function stampIdentity(db: IndexedDbByteStore, { identity, fence }: OwnedIdentity, usedAtMs: number): Promise<void> {
  await db.write([ownerCondition(identity.peerId, fence)], [valueOf({ ...identity, usedAtMs })]);
}

/** Deletes the records and keeps the key. Nobody owns them from then on: who thinks it does is refused. */
export async function spendIdentity(db: IndexedDbByteStore, identity: StoredIdentity): Promise<void> {
  await db.write(nothingLeftOf(identity.peerId), [valueOf({ ...identity, isSpent: true })]);
}

/** The same by the owner of the records alone. Rejects with `stale-owner` when they are another tab's by now; then nothing changed. */
export async function giveUpIdentity(db: IndexedDbByteStore, { identity, fence }: OwnedIdentity): Promise<void> {
  const { peerId } = identity;
  try {
    await db.write([ownerCondition(peerId, fence), ...nothingLeftOf(peerId)], [valueOf({ ...identity, isSpent: true })]);
  } catch (error) {
    if (hasCode(error, "storage-conflict")) await mustOwn(db, peerId, fence);
    throw error;
  }
}

/** Deletes records and key. */
export async function eraseIdentity(db: IndexedDbByteStore, key: string): Promise<void> {
  await db.write(nothingLeftOf(key), [{ type: "delete", key }]);
}

/** Makes `owner`, a name that never comes back, the one that may write this identity's records: whoever had them before is refused from now on. To be done before anything is read of them. */
export function ownRecords(db: IndexedDbByteStore, peer: PeerId, owner: string): Promise<OwnershipFence> {
  return new StoreFence(db).takeOver(peer, owner);
}

/** The identity's own records, as the owner of `fence` writes them. */
export function recordsOf(db: IndexedDbByteStore, { identity: { peerId }, fence }: OwnedIdentity): ByteStore {
  return scopedByteStore(fencedByteStore(db, peerId, fence), scopeOf(peerId));
}

/** Whether the identity has written anything yet. */
export async function hasRecords(db: IndexedDbByteStore, peer: PeerId): Promise<boolean> {
  const { from, to } = allRecordsOf(peer);
  return db.holdsAny(`${from}/`, to);
}

/** Whether the mark that was written with the key is there: a log that was wiped without its key must not be taken for an empty one. */
export async function isMarked(db: IndexedDbByteStore, identity: StoredIdentity): Promise<boolean> {
  const mark = await db.read(markOf(identity.peerId));
  return mark !== undefined && bytesEqual(mark, identity.publicKey);
}

// The mark is `peer/<id>`, the records are `peer/<id>/…`, and "0" is the sign after "/": one range holds both and nothing else.
function markOf(peer: string): string {
  return `peer/${peer}`;
}

function scopeOf(peer: PeerId): string {
  return `peer/${peer}/`;
}

function allRecordsOf(peer: string): { readonly type: "delete-range"; readonly from: string; readonly to: string } {
  return { type: "delete-range", from: markOf(peer), to: `peer/${peer}0` };
}

function nothingLeftOf(peer: string): readonly ByteStoreOp[] {
  return [allRecordsOf(peer), { type: "delete", key: fenceKey(peer) }];
}

function valueOf({ peerId: key, privateKey, publicKey, usedAtMs, isSpent }: StoredIdentity): { readonly type: "put"; readonly key: string; readonly value: unknown } {
  return { type: "put", key, value: { format: FORMAT, privateKey, publicKey, usedAtMs, isSpent } };
}

function identityFrom(key: string, value: unknown): StoredIdentity | undefined {
  if (!isPeerId(key) || typeof value !== "object" || value === null) return undefined;
  const { format, privateKey, publicKey, usedAtMs, isSpent } = value as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || typeof usedAtMs !== "number" || typeof isSpent !== "boolean") return undefined;
  if (!(publicKey instanceof Uint8Array) || !isPublicKeyShaped(publicKey) || peerIdOfKey(publicKey) !== key || !isPrivateKey(privateKey)) return undefined;
  return { peerId: key, privateKey, publicKey, usedAtMs, isSpent };
}

function isPrivateKey(value: unknown): value is CryptoKey {
  return typeof value === "object" && value !== null && "type" in value && value.type === "private";
}
