// Keys for one relayed link that only its two ends know: X25519 over signaling, new for every link. The only importer of @noble/curves beside soft-keys.
import { x25519 } from "@noble/curves/ed25519.js";
import { authCode, concatBytes, toHex, utf8, type Random } from "../../base/index.ts";
import { sealKey, type SealKey } from "../sealing.ts";
import { RELAY_TAG_BYTES } from "./relay-frame.ts";

/** Length of a public key. */
export const AGREEMENT_KEY_BYTES: number = 32;

/** One end of an agreement that is still to be made. */
export interface AgreementKey {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** What both ends say in the open: who began comes first. */
export interface AgreementSide {
  readonly key: Uint8Array;
  readonly address: Uint8Array;
}

/** One direction of a link. */
export interface Direction {
  readonly key: SealKey;
  /** What the receiver tells the link by, {@link RELAY_TAG_BYTES} bytes. */
  readonly tag: Uint8Array;
}

/** Both directions of a link, as the two ends agree on them. */
export interface Agreement {
  readonly fromInitiator: Direction;
  readonly toInitiator: Direction;
}

/** A key pair for one link. `random` must not be foreseeable. Costs about 1 ms. */
export function makeAgreementKey(random: Random): AgreementKey {
  const secretKey = Uint8Array.from({ length: AGREEMENT_KEY_BYTES }, () => random.uint32() >>> 24);
  return { secretKey, publicKey: x25519.getPublicKey(secretKey) };
}

/**
 * The keys of a link: everything said in the open goes into them, so that two ends that heard different things share nothing. Who the other end is, this does not
 * tell: the handshake on the link does, which signs both public keys. Throws for a key that is no contribution (a point of low order). Costs about 1 ms.
 */
export function agree(own: AgreementKey, theirs: Uint8Array, initiator: AgreementSide, responder: AgreementSide): Agreement {
  const shared = x25519.getSharedSecret(own.secretKey, theirs);
  const root = authCode(shared, concatBytes(utf8("flotilla/relay/1\0"), initiator.key, responder.key, initiator.address, responder.address), 32);
  const direction = (name: string): Direction => ({ key: sealKey(authCode(root, utf8(`${name} key`), 32)), tag: authCode(root, utf8(`${name} tag`), RELAY_TAG_BYTES) });
  return { fromInitiator: direction("from initiator"), toInitiator: direction("to initiator") };
}

/** What a proof of identity names instead of a certificate. */
export function agreementFingerprint(publicKey: Uint8Array): string {
  return `x25519 ${toHex(publicKey)}`;
}
