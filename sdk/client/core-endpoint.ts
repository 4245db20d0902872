// The ready-made endpoint: one process of a fixed core, by its URL.
import type { Clock, PeerId } from "../base/index.ts";
import { CORE_TOKEN_BYTES_MAX, CoreSeam, SeamTornError, type CoreSeamOptions } from "../seam/index.ts";
import { waitFor } from "../session/index.ts";
import type { Endpoint, OpenedEndpoint } from "./endpoint.ts";
import { EndpointRefusedError, WindowClosedError, type EndpointRefusal } from "./errors.ts";

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
  // What is longer was never a token of a core, and its proof would not be understood.
  if (token !== undefined && token.length > CORE_TOKEN_BYTES_MAX) throw new WindowClosedError();
  // The signal carries the deadline; the seam needs none of its own.
  const seam = new CoreSeam({ ...options, url, token, connectTimeoutMs: LONG_MS });
  const refusal = (): EndpointRefusedError | undefined => {
    const meant = refusalOf(seam.lostCode);
    return meant === undefined || seam.state.phase !== "torn" ? undefined : new EndpointRefusedError(url, meant, seam.state.reason);
  };
  try {
    const check = (): true | undefined => {
      if (seam.state.phase === "torn") throw refusal() ?? new SeamTornError(seam.state.reason);
      return seam.welcome === undefined ? undefined : true;
    };
    await waitFor({ check, subscribe: (changed) => seam.on("state", changed), clock: options.clock, ms: Infinity, onTimeout: () => true as const, signal });
  } catch (error) {
    await seam.close();
    throw error;
  }
  return { seam, token: seam.welcome?.token, window: seam.welcome?.window, refusal };
}

/** What a core means by a close code; undefined for one that is no refusal. A code that is not known here may mean something that passes. */
function refusalOf(code: number | undefined): EndpointRefusal | undefined {
  if (code === undefined || code < REFUSED_CODE_MIN || code > REFUSED_CODE_MAX) return undefined;
  return MEANINGS[code] ?? "not-now";
}

const REFUSED_CODE_MIN = 4400;
const REFUSED_CODE_MAX = 4499;
/** A room or peer that none can be; a proof that does not hold; a room that is not served; a server of another name; another connection of the same peer. */
const MEANINGS: { readonly [code: number]: EndpointRefusal } = { 4400: "invalid", 4401: "invalid", 4404: "invalid", 4421: "invalid", 4410: "replaced" };

/** An hour: whoever opens it gives up long before. */
const LONG_MS = 3_600_000;
