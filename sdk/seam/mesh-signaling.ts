// Signaling by those who are linked already: each introduces whoever it is linked to and who are not linked to each other, and passes on what they say.
import { ByteReader, ByteWriter, concatBytes, isPeerId, MalformedError, type Clock, type PeerId } from "../base/index.ts";
import { SignalingCore } from "./signaling-core.ts";
import { decodeSignalingFrame, encodeSignalingFrame, SIGNALING_FRAME_BYTES_MAX, type SignalingFrame } from "./signaling-frame.ts";
import type { Seam } from "./seam.ts";

/** Ids one peer may say it is linked to; the rest are not looked at. More than a mesh can have. */
const LINKED_MAX = 256;
/** Strangers whose introducer is remembered; the oldest are forgotten, and met again at their next announcement. */
const STRANGERS_MAX = 256;
/** What one peer may have done for it at once, introductions and messages passed on, and how many more each second. */
const FAVOURS_MAX = 512;
const FAVOURS_PER_SECOND = 32;
const ID_BYTES_MAX = 512;

const SAYS = 0;
const LINKED = 1;

/** How {@link MeshSignaling} is made. */
export interface MeshSignalingOptions {
  readonly selfId: PeerId;
  /** Refills what each peer may ask for. */
  readonly clock: Clock;
}

/**
 * Rules MG1 to MG7 in SPEC.md. It finds nobody by itself: put it beside a channel that does (`combineSignaling`), and hand it a channel of the seam once there is
 * one. From then on a peer linked to one member is introduced to all of them, and a link that broke is made again, without a server. One step only: a message
 * goes over one member, never two. `failed` while nobody is linked, `up` while somebody is. Costs: one frame per neighbour for each link that comes, goes, or is announced.
 */
export class MeshSignaling extends SignalingCore {
  readonly #clock: Clock;
  #channel: Seam | undefined;
  #offs: readonly (() => void)[] = [];
  #met: ReadonlySet<PeerId> = new Set();
  #isUp = false;
  /** Stranger → who introduced it. */
  readonly #introducers = new Map<PeerId, PeerId>();
  /** Neighbour → what it has left to ask for, and since when. */
  readonly #favours = new Map<PeerId, { left: number; at: number }>();
  #refused = 0;

  constructor({ selfId, clock }: MeshSignalingOptions) {
    super(selfId);
    this.#clock = clock;
    queueMicrotask(() => this.#isUp || this.status("failed", ALONE));
  }

  /** What was not done for peers that asked for too much. */
  get favoursRefused(): number {
    return this.#refused;
  }

  /** From now on it travels over this channel, a view of the mesh for nothing else. Once. */
  carry(channel: Seam): void {
    this.#channel = channel;
    this.#offs = [channel.on("frame", (from, bytes) => this.#received(from, bytes)), channel.on("peers", () => this.#meet())];
    this.#meet();
  }

  protected post(frame: SignalingFrame): void {
    if (frame.kind === "announce" || frame.kind === "left") for (const peer of this.#others()) this.#tell(peer, frame.kind === "left" ? says(frame) : this.#linked());
    if (frame.kind !== "message") return;
    const via = this.#isLinked(frame.to) ? frame.to : this.#introducers.get(frame.to);
    if (via !== undefined && this.#isLinked(via)) this.#tell(via, says(frame));
  }

  protected end(): Promise<void> {
    this.post({ kind: "left", from: this.selfId });
    for (const off of this.#offs) off();
    this.#offs = [];
    this.#channel = undefined;
    return Promise.resolve();
  }

  #others(): readonly PeerId[] {
    return [...(this.#channel?.peers ?? [])].filter((peer) => peer !== this.selfId);
  }

  #isLinked(peer: PeerId): boolean {
    return this.#channel?.peers.has(peer) === true;
  }

  #tell(peer: PeerId, bytes: Uint8Array): void {
    if (this.#isLinked(peer)) this.#channel?.sendTo(peer, bytes);
  }

  #linked(): Uint8Array {
    const ids = this.#others().slice(0, LINKED_MAX);
    const writer = new ByteWriter().byte(LINKED);
    return writer.list(ids, (id) => void writer.text(id)).finish();
  }

  /** Who is new is told whom this peer is linked to; when somebody is lost everybody is, so that who is still linked to it introduces it again. */
  #meet(): void {
    const before = this.#met;
    const others = this.#others();
    this.#met = new Set(others);
    const lost = [...before].filter((peer) => !this.#met.has(peer));
    for (const peer of lost) this.#favours.delete(peer);
    this.#tellStatus();
    const addressees = lost.length > 0 ? others : others.filter((peer) => !before.has(peer));
    if (addressees.length === 0) return;
    const linked = this.#linked();
    for (const peer of addressees) this.#tell(peer, linked);
  }

  #tellStatus(): void {
    const isUp = this.#met.size > 0;
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (isUp) this.status("up", "by those who are linked");
    else this.status("failed", ALONE);
  }

  #received(from: PeerId, bytes: Uint8Array): void {
    try {
      if (bytes.length > SIGNALING_FRAME_BYTES_MAX) throw new MalformedError("a frame too large");
      if (bytes[0] === LINKED) this.#introduce(from, readLinked(bytes.subarray(1)));
      else if (bytes[0] === SAYS) this.#said(from, decodeSignalingFrame(bytes.subarray(1)));
      else throw new MalformedError("a frame of unknown kind");
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.malformed();
    }
  }

  /** Whoever is linked here and not there is made known to each other. */
  #introduce(newcomer: PeerId, linked: ReadonlySet<PeerId>): void {
    for (const peer of this.#others()) {
      if (peer === newcomer || linked.has(peer)) continue;
      if (!this.#mayAsk(newcomer)) return;
      this.#tell(newcomer, says({ kind: "announce", from: peer, to: newcomer }));
      this.#tell(peer, says({ kind: "announce", from: newcomer, to: peer }));
    }
  }

  #said(from: PeerId, frame: SignalingFrame): void {
    if (frame.kind === "message") this.#messageFrom(from, frame);
    else if (frame.kind === "announce") this.#introduced(from, frame);
    else if (frame.kind === "left") this.#goneFrom(from, frame);
    else throw new MalformedError(`a ${frame.kind} between peers`);
  }

  /** Said by its author, it is ours or to be passed on; passed on, it is ours or nobody's. */
  #messageFrom(neighbour: PeerId, frame: SignalingFrame & { readonly kind: "message" }): void {
    if (frame.to === this.selfId) {
      if (frame.from !== neighbour) this.#remember(frame.from, neighbour);
      this.heard(frame);
    } else if (frame.from !== neighbour) throw new MalformedError("passed on twice");
    else if (this.#isLinked(frame.to) && this.#mayAsk(neighbour)) this.#tell(frame.to, says(frame));
  }

  #introduced(introducer: PeerId, frame: SignalingFrame & { readonly kind: "announce" }): void {
    if (frame.to !== this.selfId || frame.from === introducer) throw new MalformedError("an introduction of itself, or of somebody to another");
    if (frame.from === this.selfId || this.#isLinked(frame.from)) return;
    this.#remember(frame.from, introducer);
    this.heard(frame);
  }

  /** Only who introduced somebody may say that it is gone. */
  #goneFrom(neighbour: PeerId, frame: SignalingFrame & { readonly kind: "left" }): void {
    if (frame.from === neighbour) {
      for (const peer of this.#others()) if (peer !== neighbour && this.#mayAsk(neighbour)) this.#tell(peer, says(frame));
      this.heard(frame);
    } else if (this.#introducers.get(frame.from) === neighbour && !this.#isLinked(frame.from)) {
      this.#introducers.delete(frame.from);
      this.heard(frame);
    }
  }

  #remember(stranger: PeerId, introducer: PeerId): void {
    this.#introducers.delete(stranger);
    this.#introducers.set(stranger, introducer);
    const [oldest] = this.#introducers.keys();
    if (oldest !== undefined && this.#introducers.size > STRANGERS_MAX) this.#introducers.delete(oldest);
  }

  #mayAsk(peer: PeerId): boolean {
    const now = this.#clock.now();
    const before = this.#favours.get(peer) ?? { left: FAVOURS_MAX, at: now };
    const left = Math.min(FAVOURS_MAX, before.left + ((now - before.at) / 1_000) * FAVOURS_PER_SECOND);
    const mayAsk = left >= 1;
    this.#favours.set(peer, { left: mayAsk ? left - 1 : left, at: now });
    if (!mayAsk) this.#refused += 1;
    return mayAsk;
  }
}

const ALONE = "nobody is linked";

function says(frame: SignalingFrame): Uint8Array {
  return concatBytes(Uint8Array.of(SAYS), encodeSignalingFrame(frame));
}

function readLinked(bytes: Uint8Array): ReadonlySet<PeerId> {
  const reader = new ByteReader(bytes);
  const linked = reader.list(() => {
    const id = reader.text(ID_BYTES_MAX);
    if (!isPeerId(id)) throw new MalformedError("not a peer id");
    return id;
  }, LINKED_MAX);
  reader.end();
  return new Set(linked);
}
