// A set of listeners that tells when the first comes and the last goes.

/** Listeners of one source. Each is called even when another throws; the first exception is thrown after all were called. */
export class Listeners {
  readonly #listeners = new Set<{ readonly call: () => void }>();

  get size(): number {
    return this.#listeners.size;
  }

  /** Adds one; the same function may be added twice. Returns what removes it, which is harmless when called again. */
  add(call: () => void, removed: () => void): () => void {
    const listener = { call };
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener)) removed();
    };
  }

  tell(): void {
    let failure: { readonly error: unknown } | undefined;
    for (const { call } of Array.from(this.#listeners)) {
      try {
        call();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
