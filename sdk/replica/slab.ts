// Small byte arrays out of shared buffers: one buffer of its own for each costs more than everything else a small record or frame needs.

const SLAB_BYTES = 16 * 1024;
/** Larger ones get a buffer of their own, so that little of a slab is ever left unused. */
const SLAB_SHARE_MAX = 2048;

/**
 * Hands out byte arrays that are views on shared buffers. A slab is never used twice: it goes when the last view on it does, so whoever
 * keeps a few of many for long copies them.
 */
export class Slabs {
  #slab = new Uint8Array(0);
  #used = 0;

  /** `size` bytes, all zero. */
  take(size: number): Uint8Array {
    if (size > SLAB_SHARE_MAX) return new Uint8Array(size);
    const start = this.#used + size > this.#slab.length ? this.#next() : this.#used;
    this.#used = start + size;
    return this.#slab.subarray(start, this.#used);
  }

  #next(): number {
    this.#slab = new Uint8Array(SLAB_BYTES);
    return 0;
  }
}
