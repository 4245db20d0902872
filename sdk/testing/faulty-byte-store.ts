// A byte store that fails by plan: for showing what the layers above do about it.
import type { ByteStore, ByteStoreOp } from "../storage/index.ts";

/**
 * What becomes of one write. `refuse`: it does not happen, and says so. `happen-and-fail`: it happens and says that it failed, as when a connection
 * is lost before the answer. `cut`: only its first `ops` operations happen, which no honest store does. `hang`: it happens only at `release()`.
 */
export type WriteFault =
  | { readonly type: "refuse"; readonly error: Error }
  | { readonly type: "happen-and-fail"; readonly error: Error }
  | { readonly type: "cut"; readonly ops: number; readonly error: Error }
  | { readonly type: "hang" };

/** Asked before every write with its number, from 1, and its operations. Undefined: nothing is wrong with it. */
export type FaultPlan = (write: number, ops: readonly ByteStoreOp[]) => WriteFault | undefined;

/** A {@link ByteStore} over another one, whose writes fail as a plan says. Reads are passed on. */
export class FaultyByteStore implements ByteStore {
  readonly #base: ByteStore;
  /** Replace it at any time. */
  plan: FaultPlan;
  /** Writes asked for. */
  writes = 0;
  /** Writes asked for and not answered yet. */
  underWay = 0;
  /** The most that were ever under way at a time. */
  underWayMost = 0;
  #hanging: (() => void)[] = [];

  constructor(base: ByteStore, plan: FaultPlan = () => undefined) {
    this.#base = base;
    this.plan = plan;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.#base.read(key);
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#base.readRange(from, to);
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    this.writes += 1;
    this.underWay += 1;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    try {
      await this.#write(this.plan(this.writes, ops), ops);
    } finally {
      this.underWay -= 1;
    }
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return this.#base.compareAndSet(key, expected, next);
  }

  /** Lets every hanging write happen. */
  release(): void {
    for (const go of this.#hanging.splice(0)) go();
  }

  /** Closes the base too. */
  async close(): Promise<void> {
    this.release();
    await this.#base.close();
  }

  async #write(fault: WriteFault | undefined, ops: readonly ByteStoreOp[]): Promise<void> {
    if (fault?.type === "hang") await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (fault?.type === "refuse") throw fault.error;
    await this.#base.write(fault?.type === "cut" ? ops.slice(0, fault.ops) : ops);
    if (fault?.type === "cut" || fault?.type === "happen-and-fail") throw fault.error;
  }
}
