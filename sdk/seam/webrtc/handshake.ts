// What is said on a link before it counts: a greeting from each side and, where identities are asked for, a proof of who one is, bound to this very link.
import { ByteWriter, concatBytes, MalformedError, utf8, type PeerId, type Random } from "../../base/index.ts";
import type { LinkFingerprints } from "./fingerprint.ts";
import { NONCE_BYTES, type LinkControl } from "./link-control.ts";

/** What a peer shows on a link to prove an id. */
export interface LinkProof {
  readonly peerId: PeerId;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** Who this peer can prove to be, and how it checks others. `Identity` of sdk/identity with its `verifySignature` is one. */
export interface LinkIdentity {
  readonly publicKey: Uint8Array;
  /** Signs bytes that no link of anybody will ever ask for again. */
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** Whether the one key that belongs to `proof.peerId` signed these bytes. */
  readonly verify: (proof: LinkProof, bytes: Uint8Array) => Promise<boolean>;
}

/** What a handshake is made from. */
export interface HandshakeOptions {
  readonly selfId: PeerId;
  readonly peerId: PeerId;
  readonly incarnation: string;
  /** Undefined: nobody is asked for a proof, and none can be given. */
  readonly identity: LinkIdentity | undefined;
  readonly random: Random;
  /** Asked once the link is open. */
  readonly fingerprints: () => LinkFingerprints | undefined;
  readonly send: (control: LinkControl) => void;
  /** Both sides have said all there is to say: the link counts. */
  readonly done: (incarnation: string) => void;
  /** It will never count. */
  readonly refuse: (reason: string) => void;
}

type Greeting = Extract<LinkControl, { readonly kind: "hello" }>;
type Proof = Extract<LinkControl, { readonly kind: "proof" }>;

/**
 * One side of it: `hello`, then `proof`, then `proven` once the other's proof was found good. Who hears `proven` knows that both are satisfied, so
 * nothing of the layers above is ever sent to, or taken from, somebody unproven. Costs one more way there and back than a greeting alone.
 */
export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #nonce: Uint8Array;
  #isOver = false;
  #helloSent = false;
  #proofSent = false;
  #theirs: Greeting | undefined;
  #proofHeard = false;
  #isVerified = false;
  #provenHeard = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#nonce = Uint8Array.from({ length: options.identity === undefined ? 0 : NONCE_BYTES }, () => options.random.uint32() >>> 24);
  }

  /** Greets, once. */
  open(): void {
    if (this.#helloSent || this.#isOver) return;
    this.#helloSent = true;
    this.#options.send({ kind: "hello", incarnation: this.#options.incarnation, nonce: this.#nonce });
  }

  /** Takes what the other side says; throws `MalformedError` for what it can not say now. */
  hear(control: Extract<LinkControl, { readonly kind: "hello" | "proof" | "proven" }>): void {
    if (control.kind === "hello") {
      if (this.#theirs !== undefined) throw new MalformedError("a second greeting");
      this.#theirs = control;
      // A message proves that the channel is open, even when the event that says so is still on its way.
      this.open();
      this.#greeted(control);
    } else if (control.kind === "proof") {
      if (this.#theirs === undefined || this.#options.identity === undefined || this.#proofHeard) throw new MalformedError("a proof nobody waits for");
      this.#proofHeard = true;
      void this.#check(this.#options.identity, this.#theirs, control);
    } else {
      if (!this.#proofSent || this.#provenHeard) throw new MalformedError("an answer to no proof");
      this.#provenHeard = true;
      this.#look();
    }
  }

  /** Nothing is said or told any more. */
  close(): void {
    this.#isOver = true;
  }

  #greeted(theirs: Greeting): void {
    const { identity, done, refuse } = this.#options;
    const asksForProof = theirs.nonce.length > 0;
    if (identity === undefined) return asksForProof ? refuse("it asks for a proof of identity, and this side has none to give") : done(theirs.incarnation);
    if (!asksForProof) return refuse("it has no identity to prove");
    void this.#prove(identity, theirs);
  }

  async #prove(identity: LinkIdentity, theirs: Greeting): Promise<void> {
    const text = this.#text("self", theirs);
    if (text === undefined) return this.#refuse("the link has no single certificate on each side");
    const signature = await identity.sign(text).catch(() => undefined);
    if (signature === undefined) return this.#refuse("this side could not sign");
    if (this.#isOver) return;
    this.#proofSent = true;
    this.#options.send({ kind: "proof", publicKey: identity.publicKey, signature });
  }

  async #check(identity: LinkIdentity, theirs: Greeting, { publicKey, signature }: Proof): Promise<void> {
    const text = this.#text("peer", theirs);
    const isTrue = text !== undefined && (await identity.verify({ peerId: this.#options.peerId, publicKey, signature }, text).catch(() => false));
    if (this.#isOver) return;
    if (!isTrue) return this.#refuse("its proof does not hold on this link");
    this.#isVerified = true;
    this.#options.send({ kind: "proven" });
    this.#look();
  }

  #refuse(reason: string): void {
    if (!this.#isOver) this.#options.refuse(reason);
  }

  #look(): void {
    if (this.#isVerified && this.#provenHeard && this.#theirs !== undefined && !this.#isOver) this.#options.done(this.#theirs.incarnation);
  }

  #text(signer: "self" | "peer", theirs: Greeting): Uint8Array | undefined {
    const fingerprints = this.#options.fingerprints();
    if (fingerprints === undefined) return undefined;
    const { selfId, peerId, incarnation } = this.#options;
    const self: ProofSide = { peerId: selfId, incarnation, nonce: this.#nonce, fingerprint: fingerprints.local };
    const peer: ProofSide = { peerId, incarnation: theirs.incarnation, nonce: theirs.nonce, fingerprint: fingerprints.remote };
    return signer === "self" ? proofText(self, peer) : proofText(peer, self);
  }
}

/** One side of a link, as a proof names it. */
export interface ProofSide {
  readonly peerId: PeerId;
  readonly incarnation: string;
  readonly nonce: Uint8Array;
  readonly fingerprint: string;
}

const DOMAIN = utf8("flotilla/link/1\0");

/**
 * What `signer` signs for `reader`. Whose is whose is told by the order, so a proof can not be handed back to who made it; the certificates keep it
 * from being passed on over another link, the nonces from being used again. Every part has its length before it.
 */
export function proofText(signer: ProofSide, reader: ProofSide): Uint8Array {
  const writer = new ByteWriter();
  for (const { peerId, incarnation, nonce, fingerprint } of [signer, reader]) writer.text(peerId).text(incarnation).bytes(nonce).text(fingerprint);
  return concatBytes(DOMAIN, writer.finish());
}
