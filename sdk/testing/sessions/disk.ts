// A tab's connection to its disk: what was written outlives the tab, and a tab that crashed writes nothing any more.
import { ClosedError } from "../../base/index.ts";
import { MemoryByteStore, type ByteStore, type ByteStoreOp, type MemoryDisk } from "../../storage/index.ts";

/** A store that can be cut off. */
export class TabStore implements ByteStore {
  readonly #store: MemoryByteStore;
  #isCut = false;

  constructor(disk: MemoryDisk) {
    this.#store = new MemoryByteStore(disk);
  }

  /** The tab is no more: nothing it still does reaches the disk. */
  cut(): void {
    this.#isCut = true;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#check();
    return this.#store.read(key);
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    this.#check();
    return this.#store.readRange(from, to);
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    this.#check();
    return this.#store.write(ops);
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    this.#check();
    return this.#store.compareAndSet(key, expected, next);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #check(): void {
    if (this.#isCut) throw new ClosedError("the disk of a tab that crashed");
  }
}
