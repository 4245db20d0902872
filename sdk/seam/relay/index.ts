// Links through a server, for pairs that find no path of their own: a door of its own, because its cryptography is loaded only where it is needed.
export { RELAY_WINDOW_BYTES } from "./relay-link.ts";
export { RelayLane, type RelayLaneOptions } from "./relay-lane.ts";
