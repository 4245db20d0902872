// The ready-made endpoint: one process of a fixed core, by its URL.
import type { Clock, PeerId } from "../base/index.ts";
import { CoreSeam, SeamTornError, type CoreSeamOptions } from "../seam/index.ts";
import { waitFor } from "../session/index.ts";
import type { Endpoint, OpenedEndpoint } from "./endpoint.ts";

/** What every endpoint of one client has in common. */
export interface CoreEndpointOptions extends Pick<CoreSeamOptions, "selfId" | "room" | "identity" | "heartbeatMs" | "openSocket"> {
  readonly selfId: PeerId;
  readonly clock: Clock;
}

/** The process of a core at `url` (`ws:`, `wss:`, `http:` or `https:`; `/core` where the path is empty), for one peer in one room. Throws `TypeError` for a URL that is none. */
export function coreEndpoint(url: string, options: CoreEndpointOptions): Endpoint {
  const { href: name } = new URL(url);
  return { name, open: (signal, token) => openCore(url, options, { signal, token }) };
}

async function openCore(url: string, options: CoreEndpointOptions, { signal, token }: { readonly signal: AbortSignal; readonly token: Uint8Array | undefined }): Promise<OpenedEndpoint> {
  signal.throwIfAborted();
  // The signal carries the deadline; the seam needs none of its own.
  const seam = new CoreSeam({ ...options, url, token, connectTimeoutMs: LONG_MS });
  try {
    const check = (): true | undefined => {
      if (seam.state.phase === "torn") throw new SeamTornError(seam.state.reason);
      return seam.welcome === undefined ? undefined : true;
    };
    await waitFor({ check, subscribe: (changed) => seam.on("state", changed), clock: options.clock, ms: Infinity, onTimeout: () => true as const, signal });
  } catch (error) {
    await seam.close();
    throw error;
  }
  return { seam, token: seam.welcome?.token, window: seam.welcome?.window };
}

/** An hour: whoever opens it gives up long before. */
const LONG_MS = 3_600_000;
