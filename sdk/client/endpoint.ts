// The port: one place at which a client can enter, and what it gives. What stands behind it (a server's socket, a mesh of tabs) is its own matter.
import type { CoreWindow, Seam } from "../seam/index.ts";
import type { EndpointRefusedError } from "./errors.ts";

/** What an endpoint gave. */
export interface OpenedEndpoint {
  /** Woven, and of the peer that asked. It tears when the way is lost; nothing else ends it. */
  readonly seam: Seam;
  /** Presented at whichever endpoint is opened next; undefined: the one before stays. */
  readonly token?: Uint8Array | undefined;
  /** What became of the token that was presented; `closed`: nobody knows it any more, and this is a fresh visit. Undefined where there are no tokens. */
  readonly window?: CoreWindow | undefined;
  /** Asked once the seam has torn: by which refusal the endpoint ended it. Undefined where it was lost in any other way. */
  readonly refusal?: (() => EndpointRefusedError | undefined) | undefined;
}

/** One place at which a client can enter. */
export interface Endpoint {
  /** For people: shown in the status. */
  readonly name: string;
  /**
   * Opens a way, presenting the newest token there is. Rejects where it can not, or with the signal's reason; then nothing of it is left. A rejection with the
   * code `window-closed` says that the token means nothing here (any more): the same endpoint is asked again without one, and that is no failure. One with
   * the code `endpoint-refused` ({@link EndpointRefusedError}) says what the endpoint means by it.
   */
  open(signal: AbortSignal, token: Uint8Array | undefined): Promise<OpenedEndpoint>;
}
