// What can go wrong on the way to a log. None of it ends a client.
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

/** Nobody who leads was found in time. `code` is `client-timeout`: nothing is left running, and opening again may help. */
export class ClientTimeoutError extends SdkError {
  constructor(ms: number, progress: string) {
    super("client-timeout", `no log was entered within ${ms} ms: ${progress}`);
    this.name = "ClientTimeoutError";
  }
}
