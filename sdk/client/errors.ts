// What can go wrong on the way to a log.
import { SdkError } from "../base/index.ts";

/** The token says nothing to this server: unknown, too old, or somebody else's. `code` is `window-closed`; join fresh, without one. */
export class WindowClosedError extends SdkError {
  constructor(options?: { readonly cause?: unknown }) {
    super("window-closed", "the server does not know this token (any more): join fresh", options);
    this.name = "WindowClosedError";
  }
}

/** An endpoint did not answer in time. `code` is `endpoint-timeout`; the next one is asked. */
export class EndpointTimeoutError extends SdkError {
  constructor(endpoint: string, ms: number) {
    super("endpoint-timeout", `${endpoint} did not answer within ${ms} ms`);
    this.name = "EndpointTimeoutError";
  }
}

/**
 * What an endpoint means by putting a peer out: `invalid`, it takes nobody for what this peer is or asks for, and asking again does not change that; `replaced`, another
 * connection of the same peer came; `not-now`, it is full, or was asked too much.
 */
export type EndpointRefusal = "invalid" | "replaced" | "not-now";

/** An endpoint said that it will not have this peer. `code` is `endpoint-refused`; `refusal` says what it means by that. Ends a client only when none lets it in. */
export class EndpointRefusedError extends SdkError {
  readonly refusal: EndpointRefusal;

  constructor(endpoint: string, refusal: EndpointRefusal, why: string) {
    super("endpoint-refused", `${endpoint} will not have this peer: ${why}`);
    this.name = "EndpointRefusedError";
    this.refusal = refusal;
  }
}

/**
 * Another program enters under the same identity, and each puts the other out. `code` is `identity-in-use`: the one that came first ends with this, the other goes on. Close
 * one of the two, or give each an identity and records of its own.
 */
export class IdentityInUseError extends SdkError {
  constructor(peer: string, ms: number, options?: { readonly cause?: unknown }) {
    super("identity-in-use", `another program is ${peer}, too: its connection took the place of this one's twice within ${ms} ms`, options);
    this.name = "IdentityInUseError";
  }
}

/** Nobody who leads was found in time. `code` is `client-timeout`: nothing is left running, and opening again may help. */
export class ClientTimeoutError extends SdkError {
  constructor(ms: number, progress: string) {
    super("client-timeout", `no log was entered within ${ms} ms: ${progress}`);
    this.name = "ClientTimeoutError";
  }
}
