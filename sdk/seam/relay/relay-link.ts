// A link through a server that can read nothing of it: sealed end to end, counted, and never more under way than its window.
import { ByteReader, ByteWriter, concatBytes, MalformedError, type Random } from "../../base/index.ts";
import { sealAt, unsealAt } from "../sealing.ts";
import type { Link, LinkEnd, LinkListener } from "../webrtc/link.ts";
import type { LinkFingerprints } from "../webrtc/fingerprint.ts";
import type { Negotiation } from "../webrtc/link.ts";
import { agree, agreementFingerprint, makeAgreementKey, type Agreement, type AgreementKey, type Direction } from "./agreement.ts";

/** Bytes under way to the other end: what the server may ever have to hold for a pair, and how far behind an urgent message can be. At 100 ms there and back it carries 640 KiB a second. */
export const RELAY_WINDOW_BYTES: number = 64 * 1024;
/** After so many bytes heard the other end is told, if nothing else was said meanwhile. */
const TELL_BYTES = RELAY_WINDOW_BYTES / 4;

const OPEN = 0;
const DATA = 1;
const HEARD = 2;
const CLOSE = 3;

type RelayStep = Extract<Negotiation, { readonly kind: "relay" }>;

/** What a link needs of its lane. */
export interface RelayPort {
  /** Where this end is reached; undefined until the server said so. */
  readonly address: Uint8Array | undefined;
  /** From now on what comes from there under this tag is this link's. */
  listen(from: Uint8Array, tag: Uint8Array, link: RelayLink): void;
  /** Hands sealed bytes to the server, for the link that the other end knows by this tag. */
  send(to: Uint8Array, tag: Uint8Array, sealed: Uint8Array): void;
  /** The link is over. */
  release(link: RelayLink): void;
}

interface Agreed {
  readonly to: Uint8Array;
  readonly out: Direction;
  readonly in: Direction;
  readonly remoteKey: Uint8Array;
}

/** See the head of the file. Its negotiation is one offer and one answer, each an address and a public key. */
export class RelayLink implements Link {
  readonly bufferedBytesMax: number = RELAY_WINDOW_BYTES;
  readonly #port: RelayPort;
  readonly #listener: LinkListener;
  readonly #initiator: boolean;
  readonly #own: AgreementKey;
  #offer: RelayStep | undefined;
  #agreed: Agreed | undefined;
  #isOpen = false;
  #over = false;
  #sealedCount = 0;
  #openedCount = 0;
  #sentBytes = 0;
  #heardThere = 0;
  #heardBytes = 0;
  #toldBytes = 0;

  constructor(port: RelayPort, initiator: boolean, random: Random, listener: LinkListener) {
    this.#port = port;
    this.#initiator = initiator;
    this.#listener = listener;
    this.#own = makeAgreementKey(random);
  }

  get bufferedBytes(): number {
    return this.#over ? 0 : this.#sentBytes - this.#heardThere;
  }

  get fingerprints(): LinkFingerprints | undefined {
    return this.#agreed && { local: agreementFingerprint(this.#own.publicKey), remote: agreementFingerprint(this.#agreed.remoteKey) };
  }

  /** The lane has an address. */
  ready(address: Uint8Array): void {
    if (this.#over) return;
    if (this.#initiator) this.#listener.negotiate({ kind: "relay", type: "offer", address, key: this.#own.publicKey });
    else if (this.#offer !== undefined) this.#answer(this.#offer, address);
  }

  signal(step: Negotiation): void {
    if (this.#over || this.#agreed !== undefined) return;
    if (step.kind !== "relay" || (step.type === "answer") !== this.#initiator) return this.end({ kind: "error", cause: new MalformedError("not a step of a relayed link") });
    const { address } = this.#port;
    if (!this.#initiator && address === undefined) this.#offer = step;
    else if (!this.#initiator && address !== undefined) this.#answer(step, address);
    else if (address !== undefined && this.#agree(step, address)) {
      this.#say(OPEN);
      this.#opened();
    }
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over || !this.#isOpen) return false;
    this.#sentBytes += bytes.length;
    this.#say(DATA, bytes);
    return true;
  }

  /** Never: what the server carries it carries in order. */
  sendLossy(): boolean {
    return false;
  }

  close(): void {
    if (this.#over) return;
    if (this.#agreed !== undefined) this.#say(CLOSE);
    this.#over = true;
    this.#port.release(this);
  }

  /** Sealed bytes that came under this link's tag. What is not the next message of the other end ends it: something was lost, changed, repeated or made up. */
  receive(sealed: Uint8Array): void {
    if (this.#over || this.#agreed === undefined) return;
    const opened = unsealAt(this.#agreed.in.key, sealed, this.#openedCount);
    if (opened === undefined) return this.end({ kind: "lost", cause: new MalformedError("what came is not what was sent next") });
    this.#openedCount += 1;
    try {
      this.#heard(opened);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.end({ kind: "error", cause: error });
    }
  }

  /** Over, and not by the owner's wish. */
  end(end: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#port.release(this);
    this.#listener.closed(end);
  }

  #answer(offer: RelayStep, address: Uint8Array): void {
    if (this.#agree(offer, address)) this.#listener.negotiate({ kind: "relay", type: "answer", address, key: this.#own.publicKey });
  }

  #agree(step: RelayStep, address: Uint8Array): boolean {
    const here = { key: this.#own.publicKey, address };
    let agreement: Agreement;
    try {
      agreement = this.#initiator ? agree(this.#own, step.key, here, step) : agree(this.#own, step.key, step, here);
    } catch (error) {
      this.end({ kind: "error", cause: error instanceof Error ? error : new Error(String(error)) });
      return false;
    }
    const { fromInitiator, toInitiator } = agreement;
    const [out, into] = this.#initiator ? [fromInitiator, toInitiator] : [toInitiator, fromInitiator];
    this.#agreed = { to: step.address, out, in: into, remoteKey: step.key };
    this.#port.listen(step.address, into.tag, this);
    return true;
  }

  #say(kind: number, bytes: Uint8Array = new Uint8Array(0)): void {
    const agreed = this.#agreed;
    if (agreed === undefined) return;
    this.#toldBytes = this.#heardBytes;
    const said = concatBytes(new ByteWriter().byte(kind).uint(this.#heardBytes).finish(), bytes);
    this.#port.send(agreed.to, agreed.out.tag, sealAt(agreed.out.key, said, this.#sealedCount));
    this.#sealedCount += 1;
  }

  #heard(said: Uint8Array): void {
    const reader = new ByteReader(said);
    const kind = reader.byte();
    this.#toldThat(reader.uint());
    const bytes = said.subarray(said.length - reader.remaining);
    if (kind === OPEN && !this.#initiator && !this.#isOpen) return this.#opened();
    if (kind === CLOSE) return this.end({ kind: "lost", cause: undefined });
    if (kind === HEARD) return;
    if (kind !== DATA || !this.#isOpen) throw new MalformedError(`a relayed message of kind ${kind}`);
    this.#heardBytes += bytes.length;
    this.#listener.message(bytes);
    if (!this.#over && this.#heardBytes - this.#toldBytes >= TELL_BYTES) this.#say(HEARD);
  }

  #toldThat(bytes: number): void {
    if (bytes < this.#heardThere || bytes > this.#sentBytes) throw new MalformedError("it heard what was not said");
    const wasFull = this.bufferedBytes >= RELAY_WINDOW_BYTES;
    this.#heardThere = bytes;
    if (wasFull && this.bufferedBytes < RELAY_WINDOW_BYTES) this.#listener.drained();
  }

  #opened(): void {
    this.#isOpen = true;
    this.#listener.open();
  }
}
