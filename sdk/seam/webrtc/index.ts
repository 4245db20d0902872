// The WebRTC mesh: a door of its own, because simple-peer weighs more than everything else in seam.
export type { LinkFingerprints } from "./fingerprint.ts";
export type { LinkIdentity, LinkProof } from "./handshake.ts";
export type { Lane, RelayMode } from "./lane-rules.ts";
export type { Link, LinkEnd, LinkFactory, LinkListener, LinkOptions, Negotiation } from "./link.ts";
export { DEFAULT_ICE_SERVERS, REMOTE_PEERS_MAX, WebRtcSeam, type RelayedLinks, type RelayOptions, type WebRtcSeamEvents, type WebRtcSeamOptions } from "./webrtc-seam.ts";
