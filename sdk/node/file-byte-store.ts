// Bytes in a directory of this machine: a ByteStore on LevelDB, synced to disk when a write resolves.
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { ClassicLevel } from "classic-level";
import { bytesEqual, ClosedError } from "../base/index.ts";
import { StorageConflictError, StorageQuotaError, StorageUnavailableError, type ByteStore, type ByteStoreOp } from "../storage/index.ts";

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** Writes that wait are made together, up to about so many bytes at once: one wait for the disk serves them all. */
const TOGETHER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * A {@link ByteStore} in a directory, on LevelDB (`classic-level`, an optional dependency whose package brings its binaries along). A resolved write survives a
 * crash of process and machine. One process at a time owns a directory; within it the same directory may be opened as often as one likes.
 */
export class FileByteStore implements ByteStore {
  readonly #place: Place;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  private constructor(place: Place) {
    this.#place = place;
  }

  /**
   * Opens a directory, made if it is not there. Rejects with `StorageUnavailableError` when it can not be used, another process's hold on it and a missing `classic-level` included, or with the signal's
   * reason at once; what opens too late is closed again.
   */
  static async open(directory: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<FileByteStore> {
    signal?.throwIfAborted();
    const opening = Place.open(resolve(directory));
    if (signal === undefined) return new FileByteStore(await opening);
    return new Promise((done, failed) => {
      const abort = (): void => failed(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      const opened = (place: Place): void => {
        signal.removeEventListener("abort", abort);
        if (signal.aborted) place.release().catch(() => {});
        else done(new FileByteStore(place));
      };
      opening.then(opened, (error: unknown) => {
        signal.removeEventListener("abort", abort);
        failed(error);
      });
    });
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
    return this.#place.read((level) => level.get(encodeKey(key)).then((value) => value && new Uint8Array(value)));
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    this.#mustBeOpen();
    if (from >= to) return [];
    return this.#place.read(async (level) => {
      const found = await level.iterator({ gte: encodeKey(from), lt: encodeKey(to) }).all();
      return found.map(([key, value]) => [decodeKey(key), new Uint8Array(value)] as const);
    });
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    this.#mustBeOpen();
    await this.#place.write(ops.map(copyOf));
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    const change: ByteStoreOp = next === undefined ? { type: "delete", key } : { type: "put", key, value: next };
    try {
      await this.write([{ type: "expect", key, value: expected }, change]);
      return true;
    } catch (error) {
      if (error instanceof StorageConflictError) return false;
      throw error;
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#place.release();
    return this.#closing;
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new ClosedError("the byte store");
  }
}

interface Write {
  readonly ops: readonly ByteStoreOp[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** What a batch will have changed: key → its new bytes, or undefined once deleted. */
type Changes = Map<string, Uint8Array | undefined>;

/** One directory, opened once however many stores there are on it; its calls happen one after another. */
class Place {
  static readonly #open = new Map<string, Promise<Place>>();
  /** Those that are being closed: until they are, this very process holds them. */
  static readonly #closing = new Map<string, Promise<void>>();
  readonly #level: Level;
  readonly #directory: string;
  /** Writes that will be made together, until something else is called. */
  #gathering: Write[] | undefined;
  /** Everything called before has happened when this resolves. */
  #last: Promise<unknown> = Promise.resolve();
  #stores = 0;

  private constructor(level: Level, directory: string) {
    this.#level = level;
    this.#directory = directory;
  }

  static async open(directory: string): Promise<Place> {
    for (;;) {
      const opening = Place.#open.get(directory) ?? Place.#make(directory);
      Place.#open.set(directory, opening);
      const place = await opening;
      // The last store on it may have been closed while this one waited.
      if (Place.#open.get(directory) !== opening) continue;
      place.#stores += 1;
      return place;
    }
  }

  static async #make(directory: string): Promise<Place> {
    try {
      const Engine = await loadLevel();
      await Place.#closing.get(directory);
      // What is written there, keys among it, is the owner's alone.
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const level = new Engine<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
      await level.open();
      return new Place(level, directory);
    } catch (cause) {
      Place.#open.delete(directory);
      if (cause instanceof StorageUnavailableError) throw cause;
      const why = causes(cause).includes("LEVEL_LOCKED") ? "is held by another process" : "can not be opened";
      throw new StorageUnavailableError(`${directory} ${why}`, { cause });
    }
  }

  read<T>(reading: (level: Level) => Promise<T>): Promise<T> {
    return this.#after(() => reading(this.#level).catch((cause: unknown) => Promise.reject(asStorageError(cause))));
  }

  write(ops: readonly ByteStoreOp[]): Promise<void> {
    return new Promise((done, failed) => {
      const write: Write = { ops, done, failed };
      if (this.#gathering !== undefined) return void this.#gathering.push(write);
      const writes = [write];
      void this.#after(() => {
        if (this.#gathering === writes) this.#gathering = undefined;
        return this.#writeAll(writes);
      });
      this.#gathering = writes;
    });
  }

  /** One store fewer; the last one ends it. */
  release(): Promise<void> {
    return this.#after(async () => {
      this.#stores -= 1;
      if (this.#stores > 0) return;
      Place.#open.delete(this.#directory);
      const closing = this.#level.close();
      const closed = closing.catch(() => {}).finally(() => Place.#closing.get(this.#directory) === closed && Place.#closing.delete(this.#directory));
      Place.#closing.set(this.#directory, closed);
      await closing;
    });
  }

  /** What is called later happens later, so whatever comes now ends the gathering of writes before it. */
  #after<T>(act: () => Promise<T>): Promise<T> {
    this.#gathering = undefined;
    const result = this.#last.then(act);
    this.#last = result.catch(() => {});
    return result;
  }

  async #writeAll(writes: Write[]): Promise<void> {
    for (const waiting = writes.splice(0); waiting.length > 0; ) await this.#writeSome(waiting);
  }

  async #writeSome(waiting: Write[]): Promise<void> {
    const changes: Changes = new Map();
    const made: Write[] = [];
    for (let bytes = 0; waiting.length > 0 && bytes < TOGETHER_BYTES_MAX; ) {
      const write = waiting.shift();
      if (write === undefined) break;
      try {
        await this.#gather(write.ops, changes);
        made.push(write);
      } catch (cause) {
        write.failed(cause instanceof StorageConflictError ? cause : asStorageError(cause));
      }
      for (const op of write.ops) bytes += op.type === "put" ? op.value.length : 0;
    }
    try {
      if (changes.size > 0) await this.#level.batch([...changes].map(([key, value]) => (value === undefined ? { type: "del", key: encodeKey(key) } : { type: "put", key: encodeKey(key), value })), { sync: true });
      for (const { done } of made) done();
    } catch (cause) {
      const error = asStorageError(cause);
      for (const { failed } of made) failed(error);
    }
  }

  /** Adds one batch to what will be changed, or throws and adds nothing. */
  async #gather(ops: readonly ByteStoreOp[], changes: Changes): Promise<void> {
    for (const op of ops) {
      if (op.type !== "expect") continue;
      const held = changes.has(op.key) ? changes.get(op.key) : await this.#level.get(encodeKey(op.key));
      if (held === undefined || op.value === undefined ? held !== op.value : !bytesEqual(held, op.value)) throw new StorageConflictError(op.key);
    }
    const ranges = new Map<ByteStoreOp, readonly string[]>();
    for (const op of ops) if (op.type === "delete-range" && op.from < op.to) ranges.set(op, (await this.#level.keys({ gte: encodeKey(op.from), lt: encodeKey(op.to) }).all()).map(decodeKey));
    for (const op of ops) {
      if (op.type === "put") changes.set(op.key, op.value);
      else if (op.type === "delete") changes.set(op.key, undefined);
      else if (op.type === "delete-range") {
        const inRange = [...changes.keys()].filter((key) => key >= op.from && key < op.to);
        for (const key of [...inRange, ...(ranges.get(op) ?? [])]) changes.set(key, undefined);
      }
    }
  }
}

/** The caller may change its arrays at once. Throws for a value that is none. */
function copyOf(op: ByteStoreOp): ByteStoreOp {
  if (op.type === "put") return { ...op, value: op.value.slice() };
  return op.type === "expect" ? { ...op, value: op.value?.slice() } : op;
}

/** Big-endian UTF-16, because that is the port's order: bytes of UTF-8 are in the order of code points. */
function encodeKey(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length * 2);
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at);
    bytes[at * 2] = unit >> 8;
    bytes[at * 2 + 1] = unit & 0xff;
  }
  return bytes;
}

function decodeKey(bytes: Uint8Array): string {
  let key = "";
  for (let at = 0; at < bytes.length; at += 2) key += String.fromCharCode(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return key;
}

/** Loaded when it is wanted: whoever never opens a directory need not have it. */
async function loadLevel(): Promise<typeof ClassicLevel> {
  try {
    return (await import("classic-level")).ClassicLevel;
  } catch (cause) {
    throw new StorageUnavailableError("classic-level is not installed here: npm install classic-level", { cause });
  }
}

function asStorageError(cause: unknown): Error {
  const isFull = causes(cause).some((text) => /no space left|ENOSPC|disk quota/iu.test(text));
  return isFull ? new StorageQuotaError({ cause }) : new StorageUnavailableError("the directory can not be read or written", { cause });
}

/** Codes and messages of an error and of what caused it. */
function causes(error: unknown): readonly string[] {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error && texts.length < 10; at = at.cause) texts.push("code" in at ? String(at.code) : "", at.message);
  return texts;
}
