// A leader's goodbye on a second way: when a page goes away its data channels may be gone or full, so the same frame leaves over signaling too, signed.
import { bytesEqual, ByteReader, ByteWriter, concatBytes, utf8, type Clock, type PeerId } from "./base/index.ts";
import { verifySignature, type Identity } from "./identity/index.ts";
import type { GameSession } from "./session/index.ts";

/** Pause between two signatures, ms: the goodbye changes with every commit, and only the newest is of use. */
const SIGN_EVERY_MS = 250;

/** How a {@link Farewell} is made. */
export interface FarewellOptions {
  readonly identity: Identity;
  readonly clock: Clock;
  /** Sends beside the links; must not wait. */
  readonly send: (to: PeerId, bytes: Uint8Array) => void;
}

interface Signed {
  readonly to: PeerId;
  readonly bytes: Uint8Array;
  readonly sealed: Uint8Array;
}

/**
 * Keeps a signed goodbye ready, because in `pagehide` there is no time to sign. It grants nothing before it is sent, and says nothing but what the
 * goodbye on the link says: whoever gets both takes the first.
 */
export class Farewell {
  readonly #options: FarewellOptions;
  #session: GameSession | undefined;
  #signed: Signed | undefined;
  #isSigning = false;
  #cancel: () => void = () => {};

  constructor(options: FarewellOptions) {
    this.#options = options;
  }

  /** From now on it is this session's goodbye that counts. */
  follow(session: GameSession): void {
    this.#session = session;
    this.prepare();
  }

  /** Something changed: a new goodbye is signed soon, at most every quarter of a second. */
  prepare(): void {
    if (this.#isSigning || this.#goodbye() === undefined) return;
    this.#isSigning = true;
    this.#cancel = this.#options.clock.after(SIGN_EVERY_MS, () => {
      void this.#sign().then(() => {
        this.#isSigning = false;
        if (this.#isStale()) this.prepare();
      });
    });
  }

  /** Sends it, at once, if it is still what this peer would say. To be called before the node parts. */
  say(): void {
    const signed = this.#signed;
    if (signed !== undefined && !this.#isStale()) this.#options.send(signed.to, signed.sealed);
  }

  stop(): void {
    this.#cancel();
    this.#session = undefined;
    this.#signed = undefined;
  }

  async #sign(): Promise<void> {
    const goodbye = this.#goodbye();
    if (goodbye === undefined || !this.#isStale()) return;
    const { identity } = this.#options;
    try {
      const signature = await identity.sign(signedText(goodbye.to, goodbye.bytes));
      this.#signed = { ...goodbye, sealed: new ByteWriter().bytes(identity.publicKey).bytes(signature).bytes(goodbye.bytes).finish() };
    } catch {
      // Without a signature there is the way over the link.
      this.#signed = undefined;
    }
  }

  #isStale(): boolean {
    const goodbye = this.#goodbye();
    if (goodbye === undefined) return this.#signed !== undefined;
    return this.#signed === undefined || this.#signed.to !== goodbye.to || !bytesEqual(this.#signed.bytes, goodbye.bytes);
  }

  #goodbye(): { readonly to: PeerId; readonly bytes: Uint8Array } | undefined {
    return this.#session === undefined || this.#session.isClosed ? undefined : this.#session.node.goodbye();
  }
}

/** Hands a goodbye that came beside the links to the session, if its sender proves to be who it says. Anything else is dropped. */
export async function hearFarewell(from: PeerId, sealed: Uint8Array, session: () => GameSession | undefined): Promise<void> {
  const heard = readSealed(sealed);
  const current = session();
  if (heard === undefined || current === undefined) return;
  const { publicKey, signature, bytes } = heard;
  const isTrue = await verifySignature({ peerId: from, publicKey, signature }, signedText(current.selfId, bytes));
  if (isTrue && session() === current && !current.isClosed) current.node.hearGoodbye(from, bytes);
}

function signedText(to: PeerId, bytes: Uint8Array): Uint8Array {
  return concatBytes(utf8(`goodbye to ${to}\0`), bytes);
}

function readSealed(sealed: Uint8Array): { readonly publicKey: Uint8Array; readonly signature: Uint8Array; readonly bytes: Uint8Array } | undefined {
  try {
    const reader = new ByteReader(sealed);
    const read = { publicKey: reader.bytes(), signature: reader.bytes(), bytes: reader.bytes() };
    reader.end();
    return read;
  } catch {
    return undefined;
  }
}
