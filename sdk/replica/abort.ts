// Ties a promise to an AbortSignal without leaving a listener behind.

const NOTHING_TO_LET_GO = (): void => {};

/** Calls `then` when the signal aborts. Returns the function that lets go of the signal. */
export function onAbort(signal: AbortSignal | undefined, then: (reason: unknown) => void): () => void {
  if (signal === undefined) return NOTHING_TO_LET_GO;
  const listener = (): void => then(signal.reason);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Throws the signal's reason when it has aborted already: then nothing is begun at all. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}
