// The WebRTC mesh: a door of its own, because simple-peer weighs more than everything else in seam.
export type { LinkFingerprints } from "./fingerprint.ts";
export type { LinkIdentity, LinkProof } from "./handshake.ts";
export type { Link, LinkEnd, LinkFactory, LinkListener, LinkOptions, Negotiation } from "./link.ts";
export { DEFAULT_ICE_SERVERS, REMOTE_PEERS_MAX, WebRtcSeam, type WebRtcSeamEvents, type WebRtcSeamOptions } from "./webrtc-seam.ts";
