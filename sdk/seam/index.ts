// Moving frames between peers. The WebRTC mesh has its own door, seam/webrtc, so that nobody pays for it here.
export { NatTraversalError, PeerNotConnectedError, PeerNotProvenError, SeamTornError, SelfSendError, SendQueueFullError } from "./errors.ts";
export { BroadcastChannelSignaling } from "./broadcast-channel-signaling.ts";
export { combineSignaling } from "./combined-signaling.ts";
export { encryptedSignaling, type EncryptedSignaling, type EncryptedSignalingEvents } from "./encrypted-signaling.ts";
export { joinChannels, type JoinedChannel } from "./joined-channel.ts";
export { ManagedSeam } from "./managed-seam.ts";
export { MemoryHub, NO_FAULTS, type LinkFaults, type MemoryHubCounts, type MemoryHubOptions, type MemorySeam } from "./memory-seam.ts";
export { MemorySignalingHub } from "./memory-signaling.ts";
export { APPLICATION_TAG, CHANNEL_NAME_BYTES_MAX, MuxSeam, NamedMux, PRESENCE_TAG, RAFT_TAG } from "./mux.ts";
export { checkResumeToken, CLUSTER_SECRET_BYTES_MIN, makeResumeToken, RESUME_TOKEN_BYTES_MAX, type ResumeClaim, type ResumeRefusal, type ResumeVerdict } from "./resume-token.ts";
export { BACKLOG_BYTES_MAX, BACKLOG_FRAMES_MAX, LOSSY_BYTES_MAX, PAYLOAD_BYTES_MAX, type Seam, type SeamEvents, type SeamState, type SendOptions } from "./seam.ts";
export { SIGNALING_BYTES_MAX, type Signaling, type SignalingEvents, type SignalingFactory } from "./signaling.ts";
export { signalingKey, type SignalingKey, type SignalingSecret } from "./signaling-key.ts";
export type { SealKey } from "./sealing.ts";
export { decodeSignalingFrame, encodeSignalingFrame, SIGNALING_FRAME_BYTES_MAX, type SignalingFrame } from "./signaling-frame.ts";
export { decodeWitnessFrame, encodeWitnessFrame, WITNESS_FRAME_BYTES_MAX, WITNESS_NONCE_BYTES, witnessProofText, type WitnessFrame } from "./witness-frame.ts";
export { WitnessSocket, type WitnessSocketEvents, type WitnessSocketOptions } from "./witness-socket.ts";
export { REFUSED_CODE_MIN, WebSocketSignaling, type Socket, type SocketFactory, type SocketListener, type WebSocketSignalingOptions } from "./websocket-signaling.ts";
