// Who a tab is in a room: a key pair kept beside the log it signs for, one live tab per identity.
export type { LockRequest, RoomEnvironment, RoomMessages } from "./environment.ts";
export { identityOf, verifySignature, type Identity, type IdentityProof, type KeyPair } from "./identity.ts";
export { exportIdentity, importIdentity, verifyFormer, WrongPassphraseError } from "./passport.ts";
export { peerIdOfKey } from "./peer-id.ts";
export { openRoomStorage, type RoomStorage, type RoomStorageOptions } from "./room-storage.ts";
