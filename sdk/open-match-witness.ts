// How a match reaches a witness: at the server of its signaling, or at another one.
import { InvalidArgumentError, type Clock, type Logger, type Random } from "./base/index.ts";
import type { Identity } from "./identity/index.ts";
import { WitnessSocket } from "./seam/index.ts";
import type { OpenWitnessLink } from "./session/index.ts";
import type { MatchOptions } from "./open-match-types.ts";

/** What a way to a witness is made of. */
export interface WitnessWay extends Pick<MatchOptions<unknown, unknown>, "witness" | "signaling" | "openSocket"> {
  /** Proven to the server. Undefined: this page has no cryptography, and no witness. */
  readonly identity: Identity | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger | undefined;
}

/** Opens links to the witness that was asked for; undefined when none was. Throws `InvalidArgumentError` when it is nowhere. */
export function witnessLinks({ witness = false, signaling, openSocket, identity, clock, random, logger }: WitnessWay): OpenWitnessLink | undefined {
  if (witness === false) return undefined;
  const url = witness === true ? signaling : witness;
  if (typeof url !== "string" || !URL.canParse(url)) throw new InvalidArgumentError(`witness: true needs the URL of a server as signaling, and any other witness a URL of its own, got ${String(url)}`);
  if (identity === undefined) return undefined;
  return ({ group, leaseMs, onChange }) => {
    const link = new WitnessSocket({ selfId: identity.peerId, identity, group, leaseMs, url, openSocket, clock, random, onChange });
    link.on("trouble", ({ message }) => logger?.info(message));
    return link;
  };
}
