// Taking one's seat along to another browser: a sealed file that proves who one was there, without the key that never leaves.
import { ByteReader, ByteWriter, concatBytes, MalformedError, SdkError, utf8 } from "../base/index.ts";
import { CURVE, identityOf, SIGNATURE_BYTES, softIdentityOf, verifySignature, type Identity, type IdentityProof } from "./identity.ts";
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

/**
 * A file with which another browser can prove to have been `identity`, sealed with a passphrase (PBKDF2, AES-GCM). The identity's own key can not be
 * read and is not in it: the file holds a new key, and the identity's word, signed here and now, that whoever has that key may speak for it. Such a
 * proof is good for {@link verifyFormer} alone: nobody can link, vote or write under the identity with it. It can not be taken back, so whoever has file and
 * passphrase can claim what the identity has, as long as it has it. Costs about 0.3 s; without WebCrypto some 3 s on a desktop and 10 on a phone, while the page goes on.
 */
export async function exportIdentity(identity: Identity, passphrase: string): Promise<Uint8Array> {
  const tools = await toolsOf(globalThis.crypto.subtle);
  const { delegate, secret } = await tools.makeDelegate();
  const word = await identity.sign(delegationText(delegate));
  const plain = new ByteWriter().bytes(identity.publicKey).bytes(word).bytes(delegate).bytes(secret).finish().slice();
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await tools.seal({ typed: typedBytes(passphrase), salt, iv, head: utf8(MAGIC).slice(), text: plain });
  return new ByteWriter().text(MAGIC).bytes(salt).bytes(iv).bytes(sealed).finish();
}

/** Somebody one was elsewhere: `sign` makes proofs for {@link verifyFormer}. Rejects with {@link WrongPassphraseError}, and with `MalformedError` for what is no such file. Costs what the export did. */
export async function importIdentity(file: Uint8Array, passphrase: string): Promise<Identity> {
  const { salt, iv, sealed } = readFile(file);
  const tools = await toolsOf(globalThis.crypto.subtle);
  const plain = await tools.unseal({ typed: typedBytes(passphrase), salt, iv, head: utf8(MAGIC).slice(), text: sealed }).catch(() => {
    throw new WrongPassphraseError();
  });
  const reader = new ByteReader(plain);
  const [publicKey, word, delegate, secret] = [reader.bytes().slice(), reader.bytes().slice(), reader.bytes().slice(), reader.bytes().slice()] as const;
  reader.end();
  const own = await tools.openDelegate(secret, delegate);
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

function delegationText(delegate: Uint8Array): Uint8Array {
  return concatBytes(utf8("whoever has this key was me\0"), delegate);
}

function typedBytes(passphrase: string): Uint8Array<ArrayBuffer> {
  return utf8(passphrase.normalize("NFKC")).slice();
}

/** A text under a passphrase. */
interface Sealing {
  readonly typed: Uint8Array<ArrayBuffer>;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly head: Uint8Array<ArrayBuffer>;
  readonly text: Uint8Array<ArrayBuffer>;
}

/** What a file is made with: the browser's, or the same in JavaScript. Either opens what the other made. */
interface Tools {
  /** A new key, its private half as PKCS #8. */
  readonly makeDelegate: () => Promise<{ readonly delegate: Uint8Array; readonly secret: Uint8Array }>;
  readonly openDelegate: (secret: Uint8Array<ArrayBuffer>, delegate: Uint8Array) => Promise<Pick<Identity, "sign">>;
  readonly seal: (sealing: Sealing) => Promise<Uint8Array>;
  /** Rejects when anything of it is another. */
  readonly unseal: (sealing: Sealing) => Promise<Uint8Array>;
}

async function toolsOf(subtle: SubtleCrypto | undefined): Promise<Tools> {
  return subtle === undefined ? softTools() : browserTools(subtle);
}

function browserTools(subtle: SubtleCrypto): Tools {
  const keyOf = async ({ typed, salt }: Sealing): Promise<CryptoKey> => {
    const known = await subtle.importKey("raw", typed, "PBKDF2", false, ["deriveKey"]);
    return subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt, iterations: PASSPHRASE_ROUNDS }, known, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  };
  return {
    makeDelegate: async () => {
      const { privateKey, publicKey } = await subtle.generateKey(CURVE, true, ["sign", "verify"]);
      return { delegate: new Uint8Array(await subtle.exportKey("raw", publicKey)), secret: new Uint8Array(await subtle.exportKey("pkcs8", privateKey)) };
    },
    openDelegate: async (secret, publicKey) => identityOf({ privateKey: await subtle.importKey("pkcs8", secret, CURVE, false, ["sign"]), publicKey }, subtle),
    seal: async (sealing) => new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv: sealing.iv, additionalData: sealing.head }, await keyOf(sealing), sealing.text)),
    unseal: async (sealing) => new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv: sealing.iv, additionalData: sealing.head }, await keyOf(sealing), sealing.text)),
  };
}

/** Loaded when they are needed. Rejects when the code for it can not be. */
async function softTools(): Promise<Tools> {
  const [{ makeSoftSecret, pkcs8Of, secretIn, softKeyPairOf }, { softFileKey, softSeal, softUnseal }] = await Promise.all([import("./soft-keys.ts"), import("./soft-seal.ts")]);
  const keyOf = ({ typed, salt }: Sealing): Promise<Uint8Array> => softFileKey(typed, salt, PASSPHRASE_ROUNDS);
  return {
    makeDelegate: async () => {
      const secret = makeSoftSecret();
      return { delegate: softKeyPairOf(secret).publicKey, secret: pkcs8Of(secret) };
    },
    openDelegate: async (pkcs8) => {
      const secret = secretIn(pkcs8);
      if (secret === undefined) throw new MalformedError("the exported identity holds no key");
      return softIdentityOf(softKeyPairOf(secret));
    },
    seal: async (sealing) => softSeal(await keyOf(sealing), { iv: sealing.iv, head: sealing.head, plain: sealing.text }),
    unseal: async (sealing) => softUnseal(await keyOf(sealing), { iv: sealing.iv, head: sealing.head, sealed: sealing.text }),
  };
}

function readFile(file: Uint8Array): { readonly salt: Uint8Array<ArrayBuffer>; readonly iv: Uint8Array<ArrayBuffer>; readonly sealed: Uint8Array<ArrayBuffer> } {
  if (file.length > FILE_BYTES_MAX) throw new MalformedError("not an exported identity");
  const reader = new ByteReader(file);
  if (reader.text(MAGIC.length) !== MAGIC) throw new MalformedError("not an exported identity, or one of another version");
  const parts = { salt: reader.bytes(SALT_BYTES).slice(), iv: reader.bytes(IV_BYTES).slice(), sealed: reader.bytes().slice() };
  reader.end();
  return parts;
}
