// Who a program is in a room, in one directory: its key and the records of its match, which are nothing without each other.
import { rename } from "node:fs/promises";
import { resolve } from "node:path";
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import { identityOf, type Identity } from "../identity/index.ts";
import { scopedByteStore, StorageUnavailableError, type ByteStore } from "../storage/index.ts";
import { FileByteStore } from "./file-byte-store.ts";

const KEY = "identity/key";
const RECORDS = "match/";
/** The next string after all that begin with {@link RECORDS}. */
const RECORDS_END = "match0";
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const KEY_PART_BYTES_MAX = 1024;
/** How many damaged directories are kept beside each other. */
const ASIDE_MAX = 100;

/** An identity and its records, for `openMatch({ storage })`. */
export interface PlayerFolder {
  readonly identity: Identity;
  /** The records of this identity alone. */
  readonly store: ByteStore;
  /** There was nothing: a player nobody has met. */
  readonly isNew: boolean;
  /** Why it is somebody new although there was something, for people; undefined otherwise. */
  readonly note: string | undefined;
  /** Closes it for somebody else to open. Idempotent. */
  release(): Promise<void>;
  /** The same, and what it holds is deleted: this identity is not used again. */
  abandon(): Promise<void>;
}

/**
 * Opens or makes the directory of one player in one room, on LevelDB (`classic-level`, an optional dependency). Whoever is killed and opens it again is the same
 * player with the same log; where the key can not be read the directory is put aside (`….damaged`, `….damaged.2`), and the player is somebody new. The private key is in it: it
 * is as secret as the directory. Rejects with `StorageUnavailableError` while another process plays from it, where no directory can be, and without `classic-level`, or with the
 * signal's reason; then it holds nothing.
 */
export async function openPlayerFolder(directory: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<PlayerFolder> {
  const opened = await openWithKey(directory, options).catch(async (error: unknown) => {
    if (!(error instanceof MalformedError)) throw error;
    await putAside(resolve(directory));
    return { ...(await openWithKey(directory, options)), note: `${error.message}; what was there was put aside` };
  });
  const { base, identity, isNew, note } = { note: undefined, ...opened };
  const store = scopedByteStore(base, RECORDS);
  let ending: Promise<void> | undefined;
  const end = async (forEver: boolean): Promise<void> => {
    try {
      await store.close();
      if (forEver) await base.write([{ type: "delete", key: KEY }, { type: "delete-range", from: RECORDS, to: RECORDS_END }]);
    } finally {
      await base.close();
    }
  };
  return { identity, isNew, note, store, release: () => (ending ??= end(false)), abandon: () => (ending ??= end(true)) };
}

/** Beside what was put aside before, under the first name that is free. */
async function putAside(directory: string): Promise<void> {
  for (let times = 1; ; times += 1) {
    const name = `${directory}.damaged${times === 1 ? "" : `.${times}`}`;
    try {
      return await rename(directory, name);
    } catch (cause) {
      const isTaken = cause instanceof Error && "code" in cause && (cause.code === "ENOTEMPTY" || cause.code === "EEXIST" || cause.code === "EPERM");
      if (!isTaken || times >= ASIDE_MAX) throw new StorageUnavailableError(`${directory} is damaged and can not be put aside`, { cause });
    }
  }
}

interface WithKey {
  readonly base: ByteStore;
  readonly identity: Identity;
  readonly isNew: boolean;
}

async function openWithKey(directory: string, { signal }: { readonly signal?: AbortSignal | undefined }): Promise<WithKey> {
  const base = await FileByteStore.open(directory, { signal });
  try {
    const kept = await base.read(KEY);
    const identity = kept === undefined ? await makeKey(base) : await keyFrom(kept);
    signal?.throwIfAborted();
    return { base, identity, isNew: kept === undefined };
  } catch (error) {
    await base.close();
    throw error;
  }
}

// Records whose key is lost are nobody's: they go in the same batch.
async function makeKey(base: ByteStore): Promise<Identity> {
  const { subtle } = globalThis.crypto;
  const { privateKey, publicKey } = await subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const [secret, open] = [new Uint8Array(await subtle.exportKey("pkcs8", privateKey)), new Uint8Array(await subtle.exportKey("raw", publicKey))];
  await base.write([{ type: "delete-range", from: RECORDS, to: RECORDS_END }, { type: "put", key: KEY, value: new ByteWriter().bytes(open).bytes(secret).finish() }]);
  return identityOf({ privateKey, publicKey: open }, subtle);
}

async function keyFrom(kept: Uint8Array): Promise<Identity> {
  const { subtle } = globalThis.crypto;
  const reader = new ByteReader(kept);
  const [publicKey, secret] = [reader.bytes(KEY_PART_BYTES_MAX).slice(), reader.bytes(KEY_PART_BYTES_MAX).slice()];
  reader.end();
  const privateKey = await subtle.importKey("pkcs8", secret, CURVE, false, ["sign"]).catch(() => {
    throw new MalformedError("the key of this player is none");
  });
  return identityOf({ privateKey, publicKey }, subtle);
}
