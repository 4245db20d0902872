// How a match uses a relay: at the server of its signaling, or at another one.
import { InvalidArgumentError, type Clock, type Random } from "./base/index.ts";
import type { MatchOptions } from "./open-match-types.ts";
import type { SocketFactory } from "./seam/index.ts";
import type { RelayedLinks, RelayOptions } from "./seam/webrtc/index.ts";

/** What the way to a relay is made of. */
export interface RelayWay extends Pick<MatchOptions<unknown, unknown>, "relay" | "signaling"> {
  /** The room as signaling knows it. */
  readonly place: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: SocketFactory | undefined;
}

/** The relay that was asked for; undefined when none was, and when there is no server that could be one. Throws `InvalidArgumentError` when it must be used and is nowhere. */
export function relayOf({ relay = "fallback", signaling, place, clock, random, openSocket }: RelayWay): RelayOptions | undefined {
  if (relay === "never") return undefined;
  const { url, mode = "fallback" } = typeof relay === "object" ? relay : { url: signaling, mode: relay };
  if (typeof url !== "string" || !URL.canParse(url)) {
    if (typeof relay === "object" || mode === "always") throw new InvalidArgumentError(`relay: "always" needs the URL of a server as signaling, and any other relay a URL of its own, got ${String(url)}`);
    return undefined;
  }
  // Loaded where it is needed and nowhere else.
  const links = async (): Promise<RelayedLinks> => new (await import("./seam/relay/index.ts")).RelayLane({ url, room: place, clock, random, openSocket });
  return { mode, links };
}
