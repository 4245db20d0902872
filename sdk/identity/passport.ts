// Taking one's seat along to another browser: a sealed file that proves who one was there, without the key that never leaves.
import { ByteReader, ByteWriter, concatBytes, MalformedError, SdkError, utf8 } from "../base/index.ts";
import { CURVE, identityOf, SIGNATURE_BYTES, verifySignature, type Identity, type IdentityProof } from "./identity.ts";
import { PUBLIC_KEY_BYTES, peerIdOfKey } from "./peer-id.ts";

/** How often a passphrase is hashed (PBKDF2 with SHA-256) before it opens a file. */
const PASSPHRASE_ROUNDS = 600_000;
const MAGIC = "flotilla identity 1";
const SALT_BYTES = 16;
const IV_BYTES = 12;
/** A file of ours has under 600 bytes. */
const FILE_BYTES_MAX = 4096;

/** The file is not opened by this passphrase, or was damaged: the two can not be told apart. `code` is `wrong-passphrase`. */
export class WrongPassphraseError extends SdkError {
  constructor() {
    super("wrong-passphrase", "this passphrase does not open the exported identity, or the file is damaged");
    this.name = "WrongPassphraseError";
  }
}

/** Exported identities need WebCrypto, which this page does not have: it must be served over https, or from localhost. `code` is `passport-unavailable`. */
export class PassportUnavailableError extends SdkError {
  constructor() {
    super("passport-unavailable", "an identity is exported and brought along only where there is WebCrypto, which this page does not have: it must be served over https, or from localhost");
    this.name = "PassportUnavailableError";
  }
}

/**
 * A file with which another browser can prove to have been `identity`, sealed with a passphrase (PBKDF2, AES-GCM). The identity's own key can not be
 * read and is not in it: the file holds a new key, and the identity's word, signed here and now, that whoever has that key may speak for it. Such a
 * proof is good for {@link verifyFormer} alone: nobody can link, vote or write under the identity with it. It can not be taken back, so whoever has file and
 * passphrase can claim what the identity has, as long as it has it. Rejects with {@link PassportUnavailableError} where there is no WebCrypto. Costs about 0.3 s.
 */
export async function exportIdentity(identity: Identity, passphrase: string): Promise<Uint8Array> {
  const subtle = webCrypto();
  const { privateKey, publicKey } = await subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const delegate = new Uint8Array(await subtle.exportKey("raw", publicKey));
  const word = await identity.sign(delegationText(delegate));
  const secret = new Uint8Array(await subtle.exportKey("pkcs8", privateKey));
  const plain = new ByteWriter().bytes(identity.publicKey).bytes(word).bytes(delegate).bytes(secret).finish().slice();
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(MAGIC).slice() }, await fileKey(passphrase, salt), plain);
  return new ByteWriter().text(MAGIC).bytes(salt).bytes(iv).bytes(new Uint8Array(sealed)).finish();
}

/** Somebody one was elsewhere: `sign` makes proofs for {@link verifyFormer}. Rejects with {@link WrongPassphraseError}, {@link PassportUnavailableError}, and with `MalformedError` for what is no such file. */
export async function importIdentity(file: Uint8Array, passphrase: string): Promise<Identity> {
  const { salt, iv, sealed } = readFile(file);
  const subtle = webCrypto();
  const key = await fileKey(passphrase, salt);
  const plain = await subtle.decrypt({ name: "AES-GCM", iv, additionalData: utf8(MAGIC).slice() }, key, sealed).catch(() => {
    throw new WrongPassphraseError();
  });
  const reader = new ByteReader(new Uint8Array(plain));
  const [publicKey, word, delegate, secret] = [reader.bytes().slice(), reader.bytes().slice(), reader.bytes().slice(), reader.bytes().slice()] as const;
  reader.end();
  const own = identityOf({ privateKey: await subtle.importKey("pkcs8", secret, CURVE, false, ["sign"]), publicKey: delegate }, subtle);
  return { peerId: peerIdOfKey(publicKey), publicKey, sign: async (bytes) => concatBytes(await own.sign(bytes), delegate, word) };
}

/**
 * Whether `proof` shows that somebody was `proof.peerId`: signed by its own key, or by one that it gave its word for. Only for questions of who one
 * was (a seat), never of who one is (a link). Never rejects.
 */
export async function verifyFormer(proof: IdentityProof, bytes: Uint8Array): Promise<boolean> {
  const { peerId, publicKey, signature } = proof;
  if (signature.length !== SIGNATURE_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES) return verifySignature(proof, bytes);
  const delegate = signature.slice(SIGNATURE_BYTES, SIGNATURE_BYTES + PUBLIC_KEY_BYTES);
  if (delegate[0] !== 4) return false;
  const isMeant = await verifySignature({ peerId, publicKey, signature: signature.slice(SIGNATURE_BYTES + PUBLIC_KEY_BYTES) }, delegationText(delegate));
  return isMeant && verifySignature({ peerId: peerIdOfKey(delegate), publicKey: delegate, signature: signature.slice(0, SIGNATURE_BYTES) }, bytes);
}

function webCrypto(): SubtleCrypto {
  const subtle: SubtleCrypto | undefined = globalThis.crypto.subtle;
  if (subtle === undefined) throw new PassportUnavailableError();
  return subtle;
}

function delegationText(delegate: Uint8Array): Uint8Array {
  return concatBytes(utf8("whoever has this key was me\0"), delegate);
}

async function fileKey(passphrase: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const subtle = webCrypto();
  const typed = await subtle.importKey("raw", utf8(passphrase.normalize("NFKC")).slice(), "PBKDF2", false, ["deriveKey"]);
  return subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt, iterations: PASSPHRASE_ROUNDS }, typed, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

function readFile(file: Uint8Array): { readonly salt: Uint8Array<ArrayBuffer>; readonly iv: Uint8Array<ArrayBuffer>; readonly sealed: Uint8Array<ArrayBuffer> } {
  if (file.length > FILE_BYTES_MAX) throw new MalformedError("not an exported identity");
  const reader = new ByteReader(file);
  if (reader.text(MAGIC.length) !== MAGIC) throw new MalformedError("not an exported identity, or one of another version");
  const parts = { salt: reader.bytes(SALT_BYTES).slice(), iv: reader.bytes(IV_BYTES).slice(), sealed: reader.bytes().slice() };
  reader.end();
  return parts;
}
