// Which way the next link to a peer is tried: decisions without effects.

/** `direct`: WebRTC. `relay`: through a server both know. */
export type Lane = "direct" | "relay";

/** When a relay is used. `fallback`: for pairs that find no path, until they find one. `always`: for every link, so that nobody learns an address. */
export type RelayMode = "fallback" | "always";

/** What is known before an attempt. */
export interface LaneView {
  /** This side can make direct links, and may. */
  readonly canDirect: boolean;
  /** This side knows a relay. */
  readonly canRelay: boolean;
  /** The other side said that it can only be relayed. */
  readonly onlyRelayed: boolean;
  /** The last direct attempt found no path. */
  readonly foundNoPath: boolean;
  /** The relay was tried since, and did not work either. */
  readonly relayFailed: boolean;
}

/** The lane of the next attempt. With no way at all it is the direct one, which then says what is missing. */
export function laneOf({ canDirect, canRelay, onlyRelayed, foundNoPath, relayFailed }: LaneView): Lane {
  if (!canRelay) return "direct";
  if (!canDirect || onlyRelayed) return "relay";
  return foundNoPath && !relayFailed ? "relay" : "direct";
}
