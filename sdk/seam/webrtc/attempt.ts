// One link from the first negotiation step to its end: handshake, frames in pieces, pings, goodbye.
import { MalformedError, type Clock, type PeerId, type Random } from "../../base/index.ts";
import { FrameJoiner, FrameSplitter, passingPiece } from "../framing.ts";
import { Handshake, type LinkIdentity } from "./handshake.ts";
import { decodeLinkControl, encodeLinkControl, isLinkControl, type LinkControl } from "./link-control.ts";
import type { Lane } from "./lane-rules.ts";
import { roleOf, type Link, type LinkEnd, type LinkFactory, type LinkListener, type LinkOptions, type Negotiation } from "./link.ts";

/** Bytes given to the data channel ahead of the network: enough to keep it busy, little enough that an urgent piece is not far behind (browsers hold 16 MiB). */
export const BUFFERED_BYTES_MAX: number = 256 * 1024;

/** Bytes of frames waiting for one link; at the limit the link ends, because a gap in the stream can not be mended. */
export const SEND_QUEUE_BYTES_MAX: number = 16 * 1024 * 1024;

/** Bytes all unfinished frames of one link may claim here. */
const JOIN_BYTES_MAX = 16 * 1024 * 1024;
/** Steps that may come before the link can take them (ICE servers are still being fetched): a description and 64 candidates. */
const EARLY_STEPS_MAX = 65;
/** Pings without any sign of life before a link is given up; counted in our own ticks, so that our own sleep is not held against the peer. */
const SILENT_TICKS_MAX = 15;
/** How long ICE may have lost contact before the link is given up. */
const UNSTEADY_MS_MAX = 5_000;
/** How long a goodbye waits for its answer while nothing moves, and how often it looks in all: a slow link gets its time, a dead one does not. */
const BYE_LOOK_MS = 2_000;
const BYE_LOOKS_MAX = 15;
/** Steps taken from the other side in one attempt: a description and more candidates than any machine has. */
const STEPS_MAX = 256;

/** Why an attempt ended by itself. */
export interface AttemptEnd {
  readonly reason: string;
  /** Both descriptions were exchanged, yet no path was found. */
  readonly noPath: boolean;
  /** The link opened, and who spoke on it did not prove to be the peer it was made for. */
  readonly isUnproven: boolean;
  readonly cause: Error | undefined;
}

/** What an attempt tells its owner; nothing after `ended` or `close()`. */
export interface AttemptOwner {
  negotiate(step: Negotiation): void;
  /** Both sides have greeted and, where asked for, proven who they are; frames can flow. */
  established(incarnation: string): void;
  frame(bytes: Uint8Array): void;
  /** The other side said goodbye. */
  bye(): void;
  ended(end: AttemptEnd): void;
}

/** What an attempt is made from. */
export interface AttemptOptions {
  readonly number: number;
  readonly lane: Lane;
  readonly selfId: PeerId;
  readonly peerId: PeerId;
  readonly identity: LinkIdentity | undefined;
  readonly random: Random;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly payloadBytesMax: number;
  readonly dialTimeoutMs: number;
  /** How long a path may be looked for once both sides have described themselves; undefined: as long as the attempt may take. */
  readonly pathTimeoutMs: number | undefined;
}

/** One link; see the head of the file. */
export class Attempt implements LinkListener {
  readonly number: number;
  readonly lane: Lane;
  readonly #options: AttemptOptions;
  readonly #owner: AttemptOwner;
  readonly #splitter = new FrameSplitter(SEND_QUEUE_BYTES_MAX);
  readonly #joiner: FrameJoiner;
  readonly #handshake: Handshake;
  readonly #startedMs: number;
  #link: Link | undefined;
  #early: Negotiation[] = [];
  #steps = 0;
  #describedThere = false;
  #isOpen = false;
  #established = false;
  #over = false;
  #silentTicks = 0;
  #heardCount = 0;
  #pingSerial = 0;
  #pingSentMs = 0;
  #roundTripMs: number | undefined;
  #byeHeard: (() => void) | undefined;
  #cancelDialTimeout: () => void;
  readonly #cancelPathTimeout: () => void;
  #cancelUnsteady: () => void = () => {};

  constructor(options: AttemptOptions, owner: AttemptOwner) {
    this.number = options.number;
    this.lane = options.lane;
    this.#options = options;
    this.#owner = owner;
    this.#joiner = new FrameJoiner(options.payloadBytesMax, JOIN_BYTES_MAX);
    this.#handshake = new Handshake({
      ...options,
      fingerprints: () => this.#link?.fingerprints,
      send: (control) => this.#control(control),
      done: (incarnation) => this.#establish(incarnation),
      refuse: (reason) => this.#end(reason, { isUnproven: true }),
    });
    this.#startedMs = options.clock.now();
    this.#cancelDialTimeout = options.clock.after(options.dialTimeoutMs, () => this.#timedOut());
    const { pathTimeoutMs, clock } = options;
    this.#cancelPathTimeout = pathTimeoutMs === undefined ? () => {} : clock.after(pathTimeoutMs, () => this.#describedThere && this.#timedOut());
  }

  get isOver(): boolean {
    return this.#over;
  }

  get isEstablished(): boolean {
    return this.#established && !this.#over;
  }

  /** Both sides had greeted, whatever came after. */
  get wasEstablished(): boolean {
    return this.#established;
  }

  /** The other side has answered with a description. */
  get isAnswered(): boolean {
    return this.#describedThere;
  }

  get ageMs(): number {
    return this.#options.clock.now() - this.#startedMs;
  }

  /** Messages heard so far. */
  get heard(): number {
    return this.#heardCount;
  }

  /** Last measured way there and back. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Bytes of frames that have not left yet. */
  get bufferedBytes(): number {
    return this.#splitter.queuedBytes + (this.#link?.bufferedBytes ?? 0);
  }

  /** Opens the link; steps that came before are given to it. */
  start(openLink: LinkFactory, options: LinkOptions): void {
    if (this.#over) return;
    try {
      this.#link = openLink(options, this);
    } catch (error) {
      this.#end("no link could be made", { cause: error instanceof Error ? error : undefined });
      return;
    }
    for (const step of this.#early.splice(0)) this.#link.signal(step);
  }

  /** Takes a step from the other side. A second description is a copy and ignored; steps beyond the limit are too. */
  signal(step: Negotiation): void {
    if (this.#over) return;
    this.#steps += 1;
    if (this.#steps > STEPS_MAX) return;
    if (roleOf(step) !== undefined) {
      if (this.#describedThere) return;
      this.#describedThere = true;
    }
    if (this.#link !== undefined) this.#link.signal(step);
    else if (this.#early.length < EARLY_STEPS_MAX) this.#early.push(step);
  }

  /** Queues a frame and sends what the channel takes. False: the queue is full, and the link has to end. */
  send(bytes: Uint8Array, stream: number): boolean {
    if (this.#sendNow(bytes, stream)) return true;
    if (!this.#splitter.push(bytes, stream)) return false;
    this.#pump();
    return true;
  }

  /** Sends a frame that may be lost. False: there is no way for those. */
  sendLossy(bytes: Uint8Array): boolean {
    return this.isEstablished && this.#link?.sendLossy(bytes) === true;
  }

  /** Once per tick of the mesh: asks for a sign of life and gives up on a link that has long shown none. */
  tick(): void {
    if (!this.isEstablished) return;
    this.#silentTicks += 1;
    if (this.#silentTicks > SILENT_TICKS_MAX) {
      this.#end("nothing was heard");
      return;
    }
    this.#pingSerial += 1;
    this.#pingSentMs = this.#options.clock.now();
    this.#control({ kind: "ping", serial: this.#pingSerial });
    this.#pump();
  }

  /** Says goodbye behind everything that was sent; resolves when the other side has heard it, or when nothing moves for two seconds. Then the link is closed. */
  async bye(): Promise<void> {
    if (!this.isEstablished) return this.close();
    await new Promise<void>((done) => {
      let cancel = (): void => {};
      this.#byeHeard = () => {
        cancel();
        done();
      };
      const look = (before: number, looks: number): void => {
        cancel = this.#options.clock.after(BYE_LOOK_MS, () => {
          const left = this.bufferedBytes;
          if (left < before && looks < BYE_LOOKS_MAX) look(left, looks + 1);
          else done();
        });
      };
      look(this.bufferedBytes, 1);
      this.#pump();
    });
    this.close();
  }

  /** Ends it without a word to anybody. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handshake.close();
    this.#cancelDialTimeout();
    this.#cancelPathTimeout();
    this.#cancelUnsteady();
    this.#link?.close();
    this.#byeHeard?.();
  }

  negotiate(step: Negotiation): void {
    if (!this.#over) this.#owner.negotiate(step);
  }

  open(): void {
    this.#isOpen = true;
    this.#cancelPathTimeout();
    this.#handshake.open();
  }

  drained(): void {
    this.#pump();
  }

  message(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#silentTicks = 0;
    this.#heardCount += 1;
    try {
      if (isLinkControl(bytes)) this.#heard(decodeLinkControl(bytes));
      else this.#heardPiece(bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#end("the other side broke the format", { cause: error, isUnproven: !this.#established && this.#options.identity !== undefined });
    }
  }

  lossy(bytes: Uint8Array): void {
    if (!this.isEstablished || bytes.length > this.#options.payloadBytesMax) return;
    this.#silentTicks = 0;
    this.#owner.frame(bytes);
  }

  unsteady(unsteady: boolean): void {
    this.#cancelUnsteady();
    if (unsteady && !this.#over) this.#cancelUnsteady = this.#options.clock.after(UNSTEADY_MS_MAX, () => this.#end("contact was lost"));
  }

  closed(end: LinkEnd): void {
    this.#end(end.cause?.message ?? "the link closed", { cause: end.cause, noPath: end.kind === "no-path" });
  }

  // The common case, small frames on an idle link, does without the queue.
  #sendNow(bytes: Uint8Array, stream: number): boolean {
    const link = this.#link;
    if (link === undefined || this.#splitter.queuedBytes > 0 || link.bufferedBytes >= (link.bufferedBytesMax ?? BUFFERED_BYTES_MAX)) return false;
    const piece = passingPiece(bytes, stream);
    if (piece === undefined) return false;
    link.send(piece);
    return true;
  }

  #heardPiece(piece: Uint8Array): void {
    if (!this.#established) throw new MalformedError("a frame before the greeting");
    const frame = this.#joiner.accept(piece);
    if (frame !== undefined) this.#owner.frame(frame);
  }

  #heard(control: LinkControl): void {
    switch (control.kind) {
      case "hello":
      case "proof":
      case "proven":
        this.#handshake.hear(control);
        return;
      case "bye":
        this.#control({ kind: "bye-heard" });
        this.#owner.bye();
        return;
      case "bye-heard":
        this.#byeHeard?.();
        return;
      case "ping":
        this.#control({ kind: "pong", serial: control.serial });
        return;
      case "pong":
        if (control.serial === this.#pingSerial) this.#roundTripMs = this.#options.clock.now() - this.#pingSentMs;
    }
  }

  #establish(incarnation: string): void {
    if (this.#over) return;
    this.#established = true;
    this.#cancelDialTimeout();
    this.#owner.established(incarnation);
  }

  // Control messages go ahead of waiting pieces, except the goodbye, which must come after them.
  #control(control: LinkControl): void {
    this.#link?.send(encodeLinkControl(control));
  }

  #pump(): void {
    const link = this.#link;
    if (link === undefined || this.#over) return;
    while (link.bufferedBytes < (link.bufferedBytesMax ?? BUFFERED_BYTES_MAX)) {
      const piece = this.#splitter.next();
      if (piece === undefined) break;
      if (!link.send(piece)) return;
    }
    if (this.#byeHeard !== undefined && this.#splitter.queuedBytes === 0) this.#control({ kind: "bye" });
  }

  #timedOut(): void {
    if (this.#isOpen) this.#end("it was silent for too long", { isUnproven: this.#options.identity !== undefined });
    else this.#end(this.#describedThere ? "no path was found in time" : "no answer", { noPath: this.#describedThere && this.lane === "direct" });
  }

  #end(reason: string, { noPath = false, isUnproven = false, cause }: Partial<Omit<AttemptEnd, "reason">> = {}): void {
    if (this.#over) return;
    this.close();
    this.#owner.ended({ reason, noPath, isUnproven, cause });
  }
}
