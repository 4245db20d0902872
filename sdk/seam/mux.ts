// Several seams over one: by a tag byte (MuxSeam) or by a name (NamedMux). Neither ever closes the seam underneath.
import { InvalidArgumentError, utf8, type PeerId } from "../base/index.ts";
import { Inbox, type InboxEvents } from "./inbox.ts";
import { checkBroadcast, checkSend } from "./seam-core.ts";
import type { Seam, SeamState, SendOptions } from "./seam.ts";

/** Tags in use: Raft's messages, who is in the lobby, and everything an application sends. */
export const RAFT_TAG: number = 1;
/** The tag of the lobby: who is here and what each says of itself. */
export const PRESENCE_TAG: number = 2;
/** The tag of everything an application sends by name (see {@link NamedMux}). */
export const APPLICATION_TAG: number = 3;

/** Limit of a channel name, in UTF-8 bytes: its length is one byte on the wire. */
export const CHANNEL_NAME_BYTES_MAX: number = 255;

/** Room for a frame that needs no buffer of its own. */
const SCRATCH_BYTES = 2048;

/** One channel: the group of the base seam, its own frames. Closing it ends the view alone. */
class ChannelView implements Seam {
  readonly #base: Seam;
  readonly #header: Uint8Array;
  readonly #stream: number | undefined;
  /** One object for every frame of the usual kind. */
  readonly #own: SendOptions;
  readonly #inbox = new Inbox();
  readonly #none: ReadonlySet<PeerId>;
  /** Header and room for small frames; undefined while one is on its way in it. */
  #scratch: Uint8Array | undefined;
  #torn: SeamState | undefined;

  constructor(base: Seam, header: Uint8Array, stream: number | undefined) {
    this.#base = base;
    this.#header = header;
    this.#stream = stream;
    this.#own = { stream };
    this.#scratch = new Uint8Array(SCRATCH_BYTES);
    this.#scratch.set(header);
    this.#none = new Set([base.selfId]);
  }

  get selfId(): PeerId {
    return this.#base.selfId;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#torn === undefined ? this.#base.peers : this.#none;
  }

  get state(): SeamState {
    return this.#torn ?? this.#base.state;
  }

  get payloadBytesMax(): number {
    return this.#base.payloadBytesMax - this.#header.length;
  }

  get framesDropped(): number {
    return this.#inbox.dropped;
  }

  on<K extends keyof InboxEvents>(event: K, listener: InboxEvents[K]): () => void {
    return this.#inbox.on(event, listener);
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    checkBroadcast(this, bytes.length);
    this.#framed(bytes, (framed) => this.#base.broadcast(framed, this.#options(options)));
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    checkSend(this, peer, bytes.length);
    this.#framed(bytes, (framed) => this.#base.sendTo(peer, framed, this.#options(options)));
  }

  close(): Promise<void> {
    if (this.state.phase !== "torn") this.tear({ phase: "torn", reason: "closed" });
    return Promise.resolve();
  }

  tear(state: SeamState): void {
    if (this.#torn !== undefined) return;
    const alone = this.#base.peers.size === 1 && this.#base.state.phase !== "torn";
    this.#torn = state;
    this.#inbox.clear();
    if (!alone) this.#inbox.emit("peers", this.#none);
    this.#inbox.emit("state", state);
  }

  frame(from: PeerId, bytes: Uint8Array): void {
    if (this.#torn === undefined) this.#inbox.frame(from, bytes.subarray(this.#header.length));
  }

  peersChanged(peers: ReadonlySet<PeerId>): void {
    if (this.#torn === undefined) this.#inbox.emit("peers", peers);
  }

  stateChanged(state: SeamState): void {
    if (this.#torn !== undefined) return;
    if (state.phase === "torn") this.tear(state);
    else this.#inbox.emit("state", state);
  }

  /** Small frames pass in a buffer used again and again, since every seam copies what it keeps (SM1); one sent while another is being sent does not. */
  #framed(bytes: Uint8Array, send: (framed: Uint8Array) => void): void {
    const header = this.#header.length;
    const scratch = this.#scratch;
    if (scratch === undefined || header + bytes.length > scratch.length) {
      const framed = new Uint8Array(header + bytes.length);
      framed.set(this.#header);
      framed.set(bytes, header);
      send(framed);
      return;
    }
    this.#scratch = undefined;
    try {
      scratch.set(bytes, header);
      send(scratch.subarray(0, header + bytes.length));
    } finally {
      this.#scratch = scratch;
    }
  }

  #options(options: SendOptions | undefined): SendOptions | undefined {
    if (this.#stream === undefined) return options;
    return options?.lossy === true ? { stream: this.#stream, lossy: true } : this.#own;
  }
}

/** The views of one base seam: one per key, made on first use, made anew after it was closed. */
class Views<Key> {
  readonly #base: Seam;
  readonly #views = new Map<Key, ChannelView>();
  readonly #offs: readonly (() => void)[];
  unknownDropped = 0;

  constructor(base: Seam, keyOf: (frame: Uint8Array) => Key | undefined) {
    this.#base = base;
    this.#offs = [
      base.on("frame", (from, bytes) => {
        const key = keyOf(bytes);
        const view = key === undefined ? undefined : this.#views.get(key);
        if (view === undefined || view.state.phase === "torn") this.unknownDropped += 1;
        else view.frame(from, bytes);
      }),
      base.on("peers", (peers) => {
        // Torn views learn of the empty roster together with the state.
        if (base.state.phase !== "torn") for (const view of this.#views.values()) view.peersChanged(peers);
      }),
      base.on("state", (state) => {
        for (const view of this.#views.values()) view.stateChanged(state);
      }),
    ];
  }

  view(key: Key, header: Uint8Array, stream: number | undefined): Seam {
    const known = this.#views.get(key);
    if (known !== undefined && (known.state.phase !== "torn" || this.#base.state.phase === "torn")) return known;
    const view = new ChannelView(this.#base, header, stream);
    this.#views.set(key, view);
    return view;
  }

  get unheardDropped(): number {
    return [...this.#views.values()].reduce((sum, view) => sum + view.framesDropped, 0);
  }

  detach(): void {
    for (const off of this.#offs) off();
    const views = [...this.#views.values()];
    for (const view of views) view.tear({ phase: "torn", reason: "closed" });
  }
}

/**
 * Channels by a tag of one byte, which costs one byte of the payload budget and makes the tag the frame's stream.
 * Frames of a tag nobody asked for are dropped and counted.
 */
export class MuxSeam {
  readonly #views: Views<number>;

  constructor(base: Seam) {
    this.#views = new Views(base, (frame) => frame[0]);
  }

  /** The view of one tag, 0 to 255: the same instance every time, until it is closed. Throws `InvalidArgumentError`. */
  channel(tag: number): Seam {
    if (!Number.isInteger(tag) || tag < 0 || tag > 255) throw new InvalidArgumentError(`a tag is a whole number from 0 to 255, got ${tag}`);
    return this.#views.view(tag, Uint8Array.of(tag), tag);
  }

  /** Frames dropped because their tag has no open view. */
  get unknownDropped(): number {
    return this.#views.unknownDropped;
  }

  /** Frames dropped because their view was not listened to and its backlog was full. */
  get unheardDropped(): number {
    return this.#views.unheardDropped;
  }

  /** Closes every view and stops listening; the base seam lives on. */
  close(): void {
    this.#views.detach();
  }
}

/**
 * Channels by name over one seam (usually the view of {@link APPLICATION_TAG}). A name costs one byte plus its UTF-8 bytes of the
 * payload budget. No name is reserved: applications own their whole namespace.
 */
export class NamedMux {
  readonly #views: Views<string>;

  constructor(base: Seam) {
    this.#views = new Views(base, nameKey);
  }

  /** The view of one name of 1 to 255 UTF-8 bytes: the same instance every time, until it is closed. Throws `InvalidArgumentError`. */
  channel(name: string): Seam {
    const bytes = utf8(name);
    if (bytes.length === 0 || bytes.length > CHANNEL_NAME_BYTES_MAX) {
      throw new InvalidArgumentError(`a channel name has 1 to ${CHANNEL_NAME_BYTES_MAX} UTF-8 bytes, got ${bytes.length}`);
    }
    const header = new Uint8Array(1 + bytes.length);
    header[0] = bytes.length;
    header.set(bytes, 1);
    return this.#views.view(latin1(bytes), header, undefined);
  }

  /** Frames dropped because nobody opened their name here, or because they carry none. */
  get unknownDropped(): number {
    return this.#views.unknownDropped;
  }

  /** Frames dropped because their view was not listened to and its backlog was full. */
  get unheardDropped(): number {
    return this.#views.unheardDropped;
  }

  /** Closes every view and stops listening; the base seam lives on. */
  close(): void {
    this.#views.detach();
  }
}

// Names are compared as bytes, so that a frame whose name is not valid UTF-8 needs no decoding and no exception.
function nameKey(frame: Uint8Array): string | undefined {
  const length = frame[0] ?? 0;
  if (length === 0 || frame.length < 1 + length) return undefined;
  return latin1(frame.subarray(1, 1 + length));
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
