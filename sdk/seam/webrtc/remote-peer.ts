// Everything a mesh knows and does about one other peer: dial, answer, re-dial, replace, let go.
import type { Clock, PeerId, Random } from "../../base/index.ts";
import { backoffMs } from "../backoff.ts";
import { LOSSY_BYTES_MAX } from "../seam.ts";
import { NatTraversalError, PeerNotProvenError, SendQueueFullError } from "../errors.ts";
import { Attempt, SEND_QUEUE_BYTES_MAX, type AttemptEnd } from "./attempt.ts";
import type { DialMessage } from "./dial-message.ts";
import { dials, judgeNegotiation } from "./dial-rules.ts";
import type { LinkIdentity } from "./handshake.ts";
import type { LinkFactory, Negotiation } from "./link.ts";

/** Re-dialling: quick at first, because most losses are short; after this many tries in a row only a sign of life starts it again. */
const BACKOFF = { firstMs: 300, maxMs: 10_000 };
const TRIES_MAX = 8;
/** A link that lasted this long starts the count anew. */
const STEADY_MS = 5_000;
/** An unanswered attempt younger than this is not restarted by a greeting: its answer is probably under way. */
const ANSWER_MS = 2_000;
/** Candidates kept for an offer that is still to come; the oldest leave. */
const EARLY_STEPS_MAX = 64;
/** Replaced incarnations remembered per peer; the oldest are forgotten. */
const RETIRED_MAX = 16;

/** What a remote peer needs from its mesh. */
export interface Mesh {
  readonly selfId: PeerId;
  readonly incarnation: string;
  readonly identity: LinkIdentity | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly payloadBytesMax: number;
  readonly dialTimeoutMs: number;
  readonly relayOnly: boolean;
  readonly openLink: LinkFactory;
  iceServers(): Promise<readonly RTCIceServer[]>;
  nextAttempt(): number;
  signal(to: PeerId, message: DialMessage): void;
  connected(peer: PeerId): void;
  disconnected(peer: PeerId): void;
  frame(peer: PeerId, bytes: Uint8Array): void;
  unproven(peer: PeerId): void;
  trouble(error: Error): void;
}

/** One other peer. */
export class RemotePeer {
  readonly id: PeerId;
  readonly #mesh: Mesh;
  readonly #initiator: boolean;
  readonly #retired = new Set<string>();
  #incarnation = "";
  #attemptNumber = 0;
  #attempt: Attempt | undefined;
  #early: { readonly incarnation: string; readonly attempt: number; readonly step: Negotiation }[] = [];
  #tries = 0;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(id: PeerId, mesh: Mesh) {
    this.id = id;
    this.#mesh = mesh;
    this.#initiator = dials(mesh.selfId, id);
  }

  /** Nothing is open, under way or planned. */
  get isIdle(): boolean {
    return this.#attempt === undefined && this.#cancelRetry === undefined;
  }

  get isConnected(): boolean {
    return this.#attempt?.isEstablished ?? false;
  }

  get roundTripMs(): number | undefined {
    return this.#attempt?.roundTripMs;
  }

  get bufferedBytes(): number {
    return this.#attempt?.bufferedBytes ?? 0;
  }

  /** The peer is in the room. It may be a new incarnation of the one we are linked to, which only its greeting tells. */
  announced(): void {
    this.#tries = 0;
    if (this.#initiator && this.#attempt === undefined) this.#dial();
    else this.#greet();
  }

  greeted(incarnation: string, lost: number): void {
    if (this.#retired.has(incarnation)) return;
    this.#meet(incarnation);
    const attempt = this.#attempt;
    if (!this.#initiator) {
      if (attempt === undefined) this.#greet();
      return;
    }
    const isDeadThere = attempt?.isEstablished === true && lost === attempt.number;
    const isUnheard = attempt !== undefined && !attempt.isAnswered && attempt.ageMs > ANSWER_MS;
    if (isDeadThere || isUnheard) this.#drop();
    if (this.#attempt === undefined) this.#dial();
  }

  negotiated(message: DialMessage & { readonly kind: "negotiate" }): void {
    const view = {
      selfIncarnation: this.#mesh.incarnation,
      initiator: this.#initiator,
      incarnation: this.#incarnation,
      retired: this.#retired,
      attempt: this.#attemptNumber,
    };
    switch (judgeNegotiation(view, message)) {
      case "begin":
        this.#answer(message);
        return;
      case "current":
        this.#meet(message.incarnation);
        this.#attempt?.signal(message.step);
        return;
      case "early":
        this.#early.push({ incarnation: message.incarnation, attempt: message.attempt, step: message.step });
        if (this.#early.length > EARLY_STEPS_MAX) this.#early.shift();
        return;
      case "stale":
    }
  }

  /** Signaling says the peer is gone: stop trying, yet keep a link that lives. */
  left(): void {
    if (this.isConnected) return;
    this.#drop();
    this.#cancelTrying();
  }

  /** The frame was checked; a full queue ends the link, which is tried again. */
  send(bytes: Uint8Array, stream: number, isLossy = false): void {
    const attempt = this.#attempt;
    if (attempt === undefined || (isLossy && bytes.length <= LOSSY_BYTES_MAX && attempt.sendLossy(bytes)) || attempt.send(bytes, stream)) return;
    this.#mesh.trouble(new SendQueueFullError(this.id, SEND_QUEUE_BYTES_MAX));
    this.#drop();
    this.#tryLater();
  }

  tick(): void {
    this.#attempt?.tick();
  }

  /** Breaks the link as a failing network would: it is re-dialled. For tests and fault panels. */
  breakLink(): void {
    if (this.#attempt === undefined) return;
    this.#drop();
    this.#tryLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTrying();
    await this.#attempt?.bye();
    this.#attempt = undefined;
  }

  #greet(): void {
    this.#mesh.signal(this.id, { kind: "greet", incarnation: this.#mesh.incarnation, lost: this.#attempt === undefined ? this.#attemptNumber : 0 });
  }

  // A peer that comes back has a new incarnation: what belonged to the old one ends here, before anything of the new one counts.
  #meet(incarnation: string): void {
    if (incarnation === this.#incarnation) return;
    if (this.#incarnation !== "") {
      this.#retired.add(this.#incarnation);
      for (const oldest of this.#retired) {
        if (this.#retired.size <= RETIRED_MAX) break;
        this.#retired.delete(oldest);
      }
      this.#drop();
      if (!this.#initiator) this.#attemptNumber = 0;
      this.#tries = 0;
    }
    this.#incarnation = incarnation;
  }

  #dial(): void {
    this.#attemptNumber = this.#mesh.nextAttempt();
    this.#begin(this.#attemptNumber);
  }

  #answer(offer: DialMessage & { readonly kind: "negotiate" }): void {
    this.#meet(offer.incarnation);
    this.#drop();
    this.#attemptNumber = offer.attempt;
    const attempt = this.#begin(offer.attempt);
    attempt.signal(offer.step);
    for (const early of this.#early) {
      if (early.incarnation === offer.incarnation && early.attempt === offer.attempt) attempt.signal(early.step);
    }
    this.#early = [];
  }

  #begin(number: number): Attempt {
    this.#cancelTrying();
    const mesh = this.#mesh;
    const { selfId, incarnation, identity, clock, random, payloadBytesMax, dialTimeoutMs } = mesh;
    const attempt: Attempt = new Attempt({ number, selfId, peerId: this.id, incarnation, identity, clock, random, payloadBytesMax, dialTimeoutMs }, {
      negotiate: (step) => mesh.signal(this.id, { kind: "negotiate", incarnation, toIncarnation: this.#incarnation, attempt: number, step }),
      established: (theirs) => this.#established(attempt, theirs),
      frame: (bytes) => mesh.frame(this.id, bytes),
      bye: () => this.#parted(attempt),
      ended: (end) => this.#ended(attempt, end),
    });
    this.#attempt = attempt;
    mesh.iceServers().then(
      (iceServers) => attempt.start(mesh.openLink, { initiator: this.#initiator, iceServers, relayOnly: mesh.relayOnly }),
      (error: unknown) => {
        if (attempt.isOver) return;
        attempt.close();
        this.#ended(attempt, { reason: "iceServers failed", noPath: false, isUnproven: false, cause: error instanceof Error ? error : new Error(String(error)) });
      },
    );
    return attempt;
  }

  #established(attempt: Attempt, incarnation: string): void {
    if (attempt !== this.#attempt || this.#retired.has(incarnation)) return attempt.close();
    this.#incarnation = incarnation;
    this.#mesh.connected(this.id);
  }

  // The link is left to the other side, which closes it once it has our answer; a timer sees to it if it does not.
  #parted(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    this.#cancelTrying();
    this.#mesh.clock.after(GOODBYE_MS, () => attempt.close());
    this.#mesh.disconnected(this.id);
  }

  #ended(attempt: Attempt, end: AttemptEnd): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    if (attempt.ageMs > STEADY_MS && attempt.wasEstablished) this.#tries = 0;
    this.#mesh.disconnected(this.id);
    if (end.isUnproven) {
      this.#mesh.unproven(this.id);
      this.#mesh.trouble(new PeerNotProvenError(this.id, end.reason));
    } else if (end.noPath) this.#mesh.trouble(new NatTraversalError(this.id, { cause: end.cause }));
    else if (!attempt.wasEstablished && end.cause !== undefined) this.#mesh.trouble(end.cause);
    this.#tryLater();
  }

  #drop(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    attempt.close();
    this.#mesh.disconnected(this.id);
  }

  #tryLater(): void {
    if (this.#closed || this.#tries >= TRIES_MAX) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#mesh.clock.after(backoffMs(this.#tries, BACKOFF, this.#mesh.random), () => {
      this.#cancelRetry = undefined;
      if (this.#initiator) this.#dial();
      else {
        this.#greet();
        this.#tryLater();
      }
    });
    this.#tries += 1;
  }

  #cancelTrying(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }
}

/** How long a link whose other side said goodbye stays for the answer to get through. */
const GOODBYE_MS = 2_000;
