// Signaling for two people and no server: one hands the other a string, by copying or as a QR code, and gets one back.
import { ClosedError, hasCode, InvalidArgumentError, toHex, type Clock, type PeerId, type Random } from "../base/index.ts";
import type { ManualDescription } from "./manual-description.ts";
import { openManualLink, type ManualLink, type ManualLinkFactory } from "./manual-link.ts";
import { manualId, ManualStringError, manualSecret, readManualString, writeManualString, type ManualStringKind, type ManualWord } from "./manual-string.ts";
import { SignalingCore } from "./signaling-core.ts";
import { decodeSignalingFrame, encodeSignalingFrame, type SignalingFrame } from "./signaling-frame.ts";
import type { Signaling, SignalingFactory } from "./signaling.ts";

/** How a {@link ManualSignaling} is made. */
export interface ManualSignalingOptions {
  readonly clock: Clock;
  /** Must not be foreseeable: strings are sealed with it. */
  readonly random: Random;
  /** STUN and TURN servers for the link; without any, only ends on one network find each other. */
  readonly iceServers: readonly RTCIceServer[];
  /** How links are begun. Default: on the page's RTCPeerConnection. */
  readonly openLink?: ManualLinkFactory | undefined;
}

/** How one step is made. */
export interface ManualStepOptions {
  /** Gives up this step with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Ids of strings that are remembered as used; the oldest are forgotten. */
const USED_MAX = 64;

/** Peers at the other end whose end is told when the link is lost; the oldest are forgotten. One page is one peer, and seldom becomes another. */
const HEARD_MAX = 16;

interface Attempt {
  readonly id: string;
  readonly secret: string;
  readonly isInviting: boolean;
  readonly link: ManualLink;
  /** Settles once both ends are connected, or will never be. */
  readonly linked: Settleable;
}

/**
 * One end of a link that two people make by hand: one calls `invite` and hands over the string, the other one `reply`s to it and hands one back, the first
 * `accept`s that. From then on both are in each other's signaling (`factory`). Strings are sealed with a secret both hold already, as the invitation of a
 * match; each is good for one link. The link carries signaling alone: the match's own links prove who speaks, as always. Rules MN1 to MN5 in SPEC.md.
 */
export class ManualSignaling {
  readonly #options: ManualSignalingOptions;
  readonly #used = new Set<string>();
  #attempt: Attempt | undefined;
  /** Why the newest attempt came to an end. */
  #over: { readonly reason: unknown } | undefined;
  #isLinked = false;
  #isClosed = false;
  #place: ManualPlace | undefined;

  constructor(options: ManualSignalingOptions) {
    this.#options = options;
  }

  /** Whether both ends are connected. */
  get isLinked(): boolean {
    return this.#isLinked;
  }

  /** For `openMatch({ signaling })`. Who invites may open its match before there is a link; who replies opens it once `linked` has resolved. One place at a time: a later one takes over. */
  readonly factory: SignalingFactory = ({ selfId }): Signaling => {
    const place: ManualPlace = new ManualPlace(selfId, {
      send: (bytes) => void (this.#place === place && this.#attempt?.link.send(bytes)),
      ended: () => void (this.#place === place && this.close()),
    });
    this.#place = place;
    const isWaiting = this.#attempt?.isInviting === false && !this.#isLinked;
    void Promise.resolve().then(() => (this.#isClosed ? place.tell("failed", ENDED) : place.tell(isWaiting ? "down" : "up", "by hand")));
    return place;
  };

  /**
   * A string for the other one: 200 to 400 digits and capital letters, which a QR code holds with room to spare. Replaces an invitation that was not answered,
   * and a link that ended. Takes as long as ways to this end are found: 3 s at most. `secret` is what both hold and nobody else: a match's `invite.code`.
   */
  async invite(secret: string, { signal }: ManualStepOptions = {}): Promise<string> {
    const id = manualId(this.#options.random);
    const description = await this.#begin({ id: toHex(id), secret, isInviting: true }, signal, (link) => link.offer());
    return writeManualString({ kind: "invitation", id, description }, manualSecret(secret), this.#options.random);
  }

  /** The string to hand back for an invitation. Rejects with `ManualStringError`, and then nothing changed. The link stays open for it as long as this page lives. */
  async reply(invitation: string, secret: string, { signal }: ManualStepOptions = {}): Promise<string> {
    const { id, description: offer } = this.#read(invitation, secret, "invitation");
    const description = await this.#begin({ id: toHex(id), secret, isInviting: false }, signal, (link) => link.answer(offer));
    this.#use(wordKey("invitation", toHex(id)));
    return writeManualString({ kind: "reply", id, description }, manualSecret(secret), this.#options.random);
  }

  /**
   * Takes the string that came back, and resolves once both ends are connected. Rejects with `ManualStringError`, and then nothing changed; with an error of code
   * `nat-traversal` where no path was found, or `link-lost`; with the signal's reason, or what the browser says of the reply, and then the link ends: invite again.
   */
  async accept(reply: string, { signal }: ManualStepOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const attempt = this.#attempt;
    if (attempt === undefined || !attempt.isInviting || this.#over !== undefined) throw new InvalidArgumentError("there is no invitation to be answered: call invite first");
    const { id, description } = this.#read(reply, attempt.secret, "reply");
    if (toHex(id) !== attempt.id) throw new ManualStringError("string-misplaced", "this string answers somebody else's invitation");
    this.#use(wordKey("reply", attempt.id));
    const giveUp = (): void => this.#lost(attempt, signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      await attempt.link.accept(description);
      await attempt.linked.promise;
    } catch (error) {
      // What the browser does not take now it never takes: whoever waits for this link is told so.
      this.#lost(attempt, error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Resolves once both ends are connected. Rejects as `accept` does for a link that did not come about, or ended; with `ClosedError`; with the signal's reason, and the link stays. */
  async linked({ signal }: ManualStepOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new ClosedError("the link made by hand");
    if (this.#attempt === undefined) throw new InvalidArgumentError("there is neither an invitation nor a reply: call one of them first");
    if (this.#over !== undefined) throw this.#over.reason;
    await within(this.#attempt.linked.promise, signal);
  }

  /** Ends the link, in a moment: what was said before still leaves. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // First, so that its goodbye still leaves.
    void this.#place?.close();
    if (this.#attempt !== undefined) this.#lost(this.#attempt, new ClosedError("the link made by hand"));
  }

  #read(text: string, secret: string, kind: ManualStringKind): ManualWord {
    if (this.#isClosed) throw new ClosedError("the link made by hand");
    const word = readManualString(text, manualSecret(secret));
    const id = toHex(word.id);
    if (word.kind !== kind) throw new ManualStringError("string-misplaced", kind === "reply" ? "this is an invitation; a reply to one is expected here" : "this is a reply; an invitation is expected here");
    if (kind === "invitation" && this.#attempt?.isInviting === true && this.#attempt.id === id) throw new ManualStringError("string-misplaced", "this is your own invitation; hand it to the other one");
    if (this.#used.has(wordKey(kind, id))) throw new ManualStringError("string-used", "this string was used before, or its invitation was replaced; ask for a new one");
    return word;
  }

  #use(key: string): void {
    this.#used.add(key);
    if (this.#used.size > USED_MAX) this.#used.delete(this.#used.values().next().value ?? key);
  }

  /** Begins a link and describes this end of it; what was there before goes on until that has worked. */
  async #begin(who: Pick<Attempt, "id" | "secret" | "isInviting">, signal: AbortSignal | undefined, describe: (link: ManualLink) => Promise<ManualDescription>): Promise<ManualDescription> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new ClosedError("the link made by hand");
    if (this.#isLinked) throw new InvalidArgumentError("both ends are connected already: one link is for two");
    const { openLink = openManualLink, iceServers, clock } = this.#options;
    const linked = settleable();
    const link: ManualLink = openLink({ iceServers, clock }, {
      opened: () => this.#opened(attempt),
      received: (bytes) => void (this.#attempt === attempt && this.#place?.receive(bytes)),
      lost: (reason) => this.#lost(attempt, reason),
    });
    const attempt: Attempt = { ...who, link, linked };
    try {
      const description = await within(describe(link), signal);
      signal?.throwIfAborted();
      if (this.#isClosed) throw new ClosedError("the link made by hand");
      this.#replace(attempt);
      return description;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  #replace(attempt: Attempt): void {
    const before = this.#attempt;
    this.#attempt = attempt;
    this.#over = undefined;
    if (before === undefined) return;
    this.#use(wordKey("reply", before.id));
    before.link.close();
    before.linked.reject(new ManualStringError("string-used", "the invitation was replaced by another one"));
  }

  #opened(attempt: Attempt): void {
    if (this.#attempt !== attempt) return;
    this.#isLinked = true;
    attempt.linked.resolve();
    this.#place?.tell("up", "by hand");
    this.#place?.greet();
  }

  #lost(attempt: Attempt, reason: unknown): void {
    attempt.link.close();
    attempt.linked.reject(reason);
    if (this.#attempt !== attempt) return;
    this.#isLinked = false;
    this.#over = { reason };
    this.#place?.lost(reason instanceof Error ? reason.message : String(reason));
  }
}

/** What a place needs of the link it stands on. */
interface Ground {
  send(bytes: Uint8Array): void;
  ended(): void;
}

const ENDED = "the link made by hand has ended";

/** One peer's place in a room of two. */
class ManualPlace extends SignalingCore {
  readonly #ground: Ground;
  readonly #heard = new Set<PeerId>();

  constructor(selfId: PeerId, ground: Ground) {
    super(selfId);
    this.#ground = ground;
  }

  tell(status: "up" | "down" | "failed", reason: string): void {
    this.status(status, reason);
  }

  /** There is somebody now: whoever wanted to be known is. */
  greet(): void {
    if (this.isAnnounced && !this.closed) this.post({ kind: "announce", from: this.selfId, to: undefined });
  }

  /** The other one is not there any more. */
  lost(reason: string): void {
    for (const from of this.#heard) this.heard({ kind: "left", from });
    this.#heard.clear();
    this.status("failed", reason);
  }

  receive(bytes: Uint8Array): void {
    let frame: SignalingFrame;
    try {
      frame = decodeSignalingFrame(bytes);
    } catch (error) {
      if (!hasCode(error, "malformed")) throw error;
      return this.malformed();
    }
    if (frame.kind === "announce" || frame.kind === "message") this.#remember(frame.from);
    if (frame.kind === "left") this.#heard.delete(frame.from);
    this.heard(frame);
    if (frame.kind === "announce" && frame.to === undefined) this.#introduce(frame.from);
    return undefined;
  }

  protected post(frame: SignalingFrame): void {
    this.#ground.send(encodeSignalingFrame(frame));
  }

  protected end(): Promise<void> {
    this.post({ kind: "left", from: this.selfId });
    this.#ground.ended();
    return Promise.resolve();
  }

  #remember(peer: PeerId): void {
    this.#heard.add(peer);
    const [oldest] = this.#heard;
    if (oldest !== undefined && this.#heard.size > HEARD_MAX) this.#heard.delete(oldest);
  }

  /** Who announces itself to everybody learns who is here. */
  #introduce(to: PeerId): void {
    if (this.isAnnounced && !this.closed) this.post({ kind: "announce", from: this.selfId, to });
  }
}

function wordKey(kind: ManualStringKind, id: string): string {
  return `${kind} ${id}`;
}

/** The same promise, or the signal's reason. */
async function within<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}

interface Settleable {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

function settleable(): Settleable {
  let resolve = (): void => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  // Who does not ask is not to be told as of an unhandled rejection.
  promise.catch(() => {});
  return { promise, resolve: () => resolve(), reject: (reason) => reject(reason) };
}
