// What the SDK says to developers. Three levels: an error somebody must look at, a change of state, and detail.

/** Receives the SDK's messages. The default says nothing; pass `console` to see them. */
export interface Logger {
  /** A developer must look. */
  error(message: string, ...details: readonly unknown[]): void;
  /** State changed. */
  info(message: string, ...details: readonly unknown[]): void;
  /** Detail for finding a fault. */
  debug(message: string, ...details: readonly unknown[]): void;
}

/** Says nothing. */
export const silentLogger: Logger = { error: () => {}, info: () => {}, debug: () => {} };
