// Everything a mesh knows and does about one other peer: dial, answer, re-dial, replace, let go.
import type { Clock, PeerId, Random } from "../../base/index.ts";
import { backoffMs } from "../backoff.ts";
import { LOSSY_BYTES_MAX } from "../seam.ts";
import { NatTraversalError, PeerNotProvenError, SendQueueFullError } from "../errors.ts";
import { Attempt, SEND_QUEUE_BYTES_MAX, type AttemptEnd } from "./attempt.ts";
import type { DialMessage } from "./dial-message.ts";
import { dials, judgeNegotiation } from "./dial-rules.ts";
import type { LinkIdentity } from "./handshake.ts";
import { laneOf, type Lane } from "./lane-rules.ts";
import type { LinkFactory, Negotiation } from "./link.ts";

/** Re-dialling: quick at first, because most losses are short; after this many tries in a row only a sign of life starts it again. */
const BACKOFF = { firstMs: 300, maxMs: 10_000 };
const TRIES_MAX = 8;
/** A link that lasted this long starts the count anew. */
const STEADY_MS = 5_000;
/** An unanswered attempt younger than this is not restarted by a greeting: its answer is probably under way. */
const ANSWER_MS = 2_000;
/** Where there is a relay to fall back to, a path is not looked for longer than this. */
const PATH_MS_MAX = 8_000;
/** How often a relayed pair tries for a direct path: it is cheap, and seldom comes to anything. */
const UPGRADE = { firstMs: 30_000, maxMs: 600_000 };
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
  /** False: every link goes through the relay. */
  readonly canDirect: boolean;
  readonly canRelay: boolean;
  readonly openLink: LinkFactory;
  /** Asked only where `canRelay`. */
  relayedLinks(): Promise<LinkFactory>;
  iceServers(): Promise<readonly RTCIceServer[]>;
  nextAttempt(): number;
  signal(to: PeerId, message: DialMessage): void;
  connected(peer: PeerId): void;
  disconnected(peer: PeerId): void;
  frame(peer: PeerId, bytes: Uint8Array): void;
  unproven(peer: PeerId): void;
  trouble(error: Error): void;
}

/** A link that counts, and whose successor is being tried. */
interface Standing {
  readonly attempt: Attempt;
  readonly incarnation: string;
}

/** One other peer. */
export class RemotePeer {
  readonly id: PeerId;
  readonly #mesh: Mesh;
  readonly #initiator: boolean;
  readonly #retired = new Set<string>();
  #incarnation = "";
  /** Of the last link that counted, where identities are proven or not. */
  #provenIncarnation: string | undefined;
  #attemptNumber = 0;
  #attempt: Attempt | undefined;
  /** The link that counts while `#attempt` tries to take its place; undefined where nobody tries. */
  #standing: Standing | undefined;
  #cancelDoubt: () => void = () => {};
  #early: { readonly incarnation: string; readonly attempt: number; readonly step: Negotiation }[] = [];
  #tries = 0;
  #onlyRelayed = false;
  #foundNoPath = false;
  #relayFailed = false;
  #upgradeTries = 0;
  #cancelUpgrade: () => void = () => {};
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
    return this.#carrier?.isEstablished ?? false;
  }

  /** How the link that counts goes; undefined while there is none. */
  get lane(): Lane | undefined {
    return this.isConnected ? this.#carrier?.lane : undefined;
  }

  get roundTripMs(): number | undefined {
    return this.#carrier?.roundTripMs;
  }

  get bufferedBytes(): number {
    return this.#carrier?.bufferedBytes ?? 0;
  }

  /** The peer is in the room. It may be a new incarnation of the one we are linked to, which only its greeting tells. */
  announced(): void {
    this.#tries = 0;
    if (this.#initiator && this.#attempt === undefined) this.#dial();
    else this.#greet();
  }

  greeted(incarnation: string, lost: number, onlyRelayed = false): void {
    if (this.#retired.has(incarnation)) return;
    this.#onlyRelayed = onlyRelayed;
    // A new life is told that we are here, and counts once it dials and proves itself.
    if (!this.#initiator && this.#isProven && incarnation !== this.#incarnation) return this.#greet();
    this.#meet(incarnation);
    const attempt = this.#attempt;
    if (!this.#initiator) {
      if (attempt === undefined) this.#greet();
      return;
    }
    const isDeadThere = attempt?.isEstablished === true && lost === attempt.number;
    const isOutOfReach = attempt !== undefined && attempt.lane === "direct" && onlyRelayed && !attempt.isEstablished && this.#mesh.canRelay;
    const isUnheard = attempt !== undefined && !attempt.isAnswered && (attempt.ageMs > ANSWER_MS || isOutOfReach);
    if (isDeadThere && this.#isProven) return this.#doubt(attempt);
    if (isUnheard && this.#isUpgrading && this.#standing !== undefined) {
      this.#standOn(this.#standing);
      return this.#upgradeLater();
    }
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
        // Not in this way: it is asked for another.
        if (message.step.kind !== "relay" && !this.#mesh.canDirect) this.#greet();
        else if (message.step.kind !== "relay" || this.#mesh.canRelay) this.#answer(message);
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
    const carrier = this.#carrier;
    if (carrier === undefined || (isLossy && bytes.length <= LOSSY_BYTES_MAX && carrier.sendLossy(bytes)) || carrier.send(bytes, stream)) return;
    this.#mesh.trouble(new SendQueueFullError(this.id, SEND_QUEUE_BYTES_MAX));
    if (this.#standing !== undefined) return this.#endStanding();
    this.#drop();
    this.#tryLater();
  }

  tick(): void {
    this.#standing?.attempt.tick();
    this.#attempt?.tick();
  }

  /** Breaks the link as a failing network would: it is re-dialled. For tests and fault panels. */
  breakLink(): void {
    if (this.#attempt === undefined) return;
    this.#endStanding();
    this.#drop();
    this.#tryLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTrying();
    this.#cancelDoubt();
    this.#cancelUpgrade();
    await Promise.all([this.#standing?.attempt.bye(), this.#attempt?.bye()]);
    this.#standing = undefined;
    this.#attempt = undefined;
  }

  /** What frames go over: the link that counts, or the one that is to. */
  get #carrier(): Attempt | undefined {
    return this.#standing?.attempt ?? this.#attempt;
  }

  /** Whoever is there has proven to be this peer: signaling alone, which others can speak on in its name, does not end that. */
  get #isProven(): boolean {
    return this.#mesh.identity !== undefined && this.isConnected;
  }

  #greet(): void {
    const { incarnation, canDirect } = this.#mesh;
    this.#mesh.signal(this.id, { kind: canDirect ? "greet" : "relay-only", incarnation, lost: this.#attempt === undefined ? this.#attemptNumber : 0 });
  }

  // A peer that comes back has a new incarnation: what belonged to the old one ends here, before anything of the new one counts. Where
  // identities are proven, it has not come back before it proves it, and anybody's word that it has retires nothing.
  #meet(incarnation: string): void {
    if (incarnation === this.#incarnation) return;
    if (incarnation === this.#standing?.incarnation) return this.#standOn(this.#standing);
    if (this.#incarnation !== "") {
      if (this.#mesh.identity === undefined) this.#retire(this.#incarnation);
      this.#makeWay();
      if (!this.#initiator) this.#attemptNumber = 0;
      this.#tries = 0;
    }
    this.#incarnation = incarnation;
  }

  #retire(incarnation: string): void {
    this.#retired.add(incarnation);
    for (const oldest of this.#retired) {
      if (this.#retired.size <= RETIRED_MAX) break;
      this.#retired.delete(oldest);
    }
  }

  /** For the next attempt, which is to begin at once: a proven link stands until that is proven too. */
  #makeWay(): void {
    const attempt = this.#attempt;
    if (this.#standing === undefined && attempt !== undefined && this.#isProven) {
      this.#standing = { attempt, incarnation: this.#incarnation };
      this.#attempt = undefined;
    } else this.#drop();
  }

  /** Nobody took its place: it is the one again, and everything is as before. */
  #standOn({ attempt, incarnation }: Standing): void {
    this.#drop();
    this.#standing = undefined;
    this.#attempt = attempt;
    this.#attemptNumber = attempt.number;
    this.#incarnation = incarnation;
  }

  #endStanding(): void {
    const standing = this.#standing;
    if (standing === undefined) return;
    this.#standing = undefined;
    standing.attempt.close();
    this.#mesh.disconnected(this.id);
  }

  /** Somebody says in the peer's name that this link is dead there. If it is, nothing is heard on it any more. */
  #doubt(attempt: Attempt): void {
    this.#cancelDoubt();
    const before = attempt.heard;
    attempt.tick();
    this.#cancelDoubt = this.#mesh.clock.after(ANSWER_MS, () => {
      if (attempt !== this.#attempt || attempt.heard !== before) return;
      this.#drop();
      this.#dial();
    });
  }

  #dial(lane: Lane = this.#nextLane()): void {
    this.#attemptNumber = this.#mesh.nextAttempt();
    this.#begin(this.#attemptNumber, lane);
  }

  #nextLane(): Lane {
    const { canDirect, canRelay } = this.#mesh;
    return laneOf({ canDirect, canRelay, onlyRelayed: this.#onlyRelayed, foundNoPath: this.#foundNoPath, relayFailed: this.#relayFailed });
  }

  /** A relayed link stands, and a direct one is tried beside it. */
  get #isUpgrading(): boolean {
    return this.#standing?.incarnation === this.#incarnation && this.#standing.attempt.lane === "relay";
  }

  // Only where a link stands until its successor is proven: without identities the try itself would cost the link.
  #upgradeLater(): void {
    this.#cancelUpgrade();
    const { clock, random, identity, canDirect } = this.#mesh;
    if (!this.#initiator || !canDirect || this.#onlyRelayed || identity === undefined || this.#closed) return;
    this.#cancelUpgrade = clock.after(backoffMs(this.#upgradeTries, UPGRADE, random), () => {
      if (!this.isConnected || this.#carrier?.lane !== "relay") return;
      this.#upgradeTries += 1;
      if (this.#standing !== undefined || this.#onlyRelayed) return this.#upgradeLater();
      this.#makeWay();
      this.#dial("direct");
    });
  }

  /** What an attempt's end says about the lanes. */
  #learn({ lane, wasEstablished }: Attempt, noPath: boolean): void {
    if (lane === "relay") this.#relayFailed = !wasEstablished;
    else if (noPath) {
      this.#foundNoPath = true;
      this.#relayFailed = false;
    }
  }

  #answer(offer: DialMessage & { readonly kind: "negotiate" }): void {
    this.#meet(offer.incarnation);
    this.#makeWay();
    this.#attemptNumber = offer.attempt;
    const attempt = this.#begin(offer.attempt, offer.step.kind === "relay" ? "relay" : "direct");
    attempt.signal(offer.step);
    for (const early of this.#early) {
      if (early.incarnation === offer.incarnation && early.attempt === offer.attempt) attempt.signal(early.step);
    }
    this.#early = [];
  }

  #begin(number: number, lane: Lane): Attempt {
    this.#cancelTrying();
    const mesh = this.#mesh;
    const { selfId, incarnation, identity, clock, random, payloadBytesMax, dialTimeoutMs } = mesh;
    const pathTimeoutMs = lane === "direct" && mesh.canRelay ? Math.min(PATH_MS_MAX, dialTimeoutMs) : undefined;
    const attempt: Attempt = new Attempt({ number, lane, pathTimeoutMs, selfId, peerId: this.id, incarnation, identity, clock, random, payloadBytesMax, dialTimeoutMs }, {
      negotiate: (step) => mesh.signal(this.id, { kind: "negotiate", incarnation, toIncarnation: this.#incarnation, attempt: number, step }),
      established: (theirs) => this.#established(attempt, theirs),
      frame: (bytes) => mesh.frame(this.id, bytes),
      bye: () => this.#parted(attempt),
      ended: (end) => this.#ended(attempt, end),
    });
    this.#attempt = attempt;
    this.#start(attempt).catch((error: unknown) => {
        if (attempt.isOver) return;
        attempt.close();
        this.#ended(attempt, { reason: "it could not begin", noPath: false, isUnproven: false, cause: error instanceof Error ? error : new Error(String(error)) });
    });
    return attempt;
  }

  async #start(attempt: Attempt): Promise<void> {
    const { openLink, relayOnly } = this.#mesh;
    if (attempt.lane === "relay") attempt.start(await this.#mesh.relayedLinks(), { initiator: this.#initiator, iceServers: [], relayOnly });
    else attempt.start(openLink, { initiator: this.#initiator, iceServers: await this.#mesh.iceServers(), relayOnly });
  }

  #established(attempt: Attempt, incarnation: string): void {
    if (attempt !== this.#attempt || this.#retired.has(incarnation)) return attempt.close();
    const before = this.#standing?.incarnation ?? this.#provenIncarnation;
    if (before !== undefined && before !== incarnation) this.#retire(before);
    this.#endStanding();
    this.#provenIncarnation = incarnation;
    this.#incarnation = incarnation;
    this.#relayFailed = false;
    if (attempt.lane === "relay") this.#upgradeLater();
    else {
      this.#foundNoPath = false;
      this.#upgradeTries = 0;
      this.#cancelUpgrade();
    }
    this.#mesh.connected(this.id);
  }

  // The link is left to the other side, which closes it once it has our answer; a timer sees to it if it does not.
  #parted(attempt: Attempt): void {
    if (attempt === this.#standing?.attempt) this.#standing = undefined;
    else if (attempt === this.#attempt) {
      this.#attempt = undefined;
      this.#cancelTrying();
    } else return;
    this.#mesh.clock.after(GOODBYE_MS, () => attempt.close());
    this.#mesh.disconnected(this.id);
  }

  #ended(attempt: Attempt, end: AttemptEnd): void {
    if (attempt === this.#standing?.attempt) return this.#endStanding();
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    const wasUpgrade = this.#isUpgrading;
    this.#learn(attempt, end.noPath);
    if (attempt.ageMs > STEADY_MS && attempt.wasEstablished) this.#tries = 0;
    const standing = this.#standing;
    if (standing === undefined) this.#mesh.disconnected(this.id);
    else this.#standOn(standing);
    if (wasUpgrade && end.noPath) return this.#upgradeLater();
    if (wasUpgrade) this.#upgradeLater();
    if (end.isUnproven) {
      this.#mesh.unproven(this.id);
      this.#mesh.trouble(new PeerNotProvenError(this.id, end.reason));
    } else if (end.noPath) this.#mesh.trouble(new NatTraversalError(this.id, { cause: end.cause }));
    else if (!attempt.wasEstablished && end.cause !== undefined) this.#mesh.trouble(end.cause);
    if (standing === undefined) this.#tryLater();
  }

  #drop(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    attempt.close();
    if (this.#standing === undefined) this.#mesh.disconnected(this.id);
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
