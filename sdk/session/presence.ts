// What everybody in the lobby says of itself, carried as Yjs awareness; and documents shared over a channel. The one importer of yjs and y-protocols.
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from "yjs";
import { createNanoEvents } from "nanoevents";
import { ByteReader, ByteWriter, digest64, MalformedError, utf8, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";
import { parsePresence, type PresenceState } from "./presence-state.ts";

export type { Doc } from "yjs";

/** Limit of one presence on the wire, bytes; a larger one is dropped and counted. A lead notice with every seat taken is 5 KiB. */
export const PRESENCE_BYTES_MAX: number = 16 * 1024;
/** Farewells remembered; the oldest are forgotten. */
const FAREWELLS_MAX = 256;

/** What presence tells its listeners. */
export interface PresenceEvents {
  /** Somebody said something new about itself, came, or went. */
  change: (states: ReadonlyMap<PeerId, PresenceState>) => void;
}

/**
 * The number under which a peer's state travels in awareness: 48 bits of a hash of its id. Because it follows from the id,
 * nobody can speak for somebody else or take a number first.
 */
function awarenessId(peer: PeerId): number {
  return digest64(utf8(peer)).subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0);
}

/** 48 bits of a hash of what somebody said: whoever holds the same word has the same stamp. */
function stampOf(clock: number, text: string): number {
  return digest64(utf8(`${clock} ${text}`)).subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0);
}

/** A frame that is only this asks for the other's word once more. */
const SAY_AGAIN = Uint8Array.of(0);

/**
 * The lobby: one state per connected peer, each written by its owner only (the seam vouches for senders).
 * Awareness' own 30-second timeout is switched off: who is connected is the seam's word, who is alive is the leader's.
 */
export class Presence {
  readonly #seam: Seam;
  readonly #doc = new Doc();
  readonly #awareness: Awareness;
  readonly #events = createNanoEvents<PresenceEvents>();
  readonly #offs: (() => void)[] = [];
  readonly #heard = new Set<PeerId>();
  readonly #farewells = new Map<PeerId, "part" | "vacate">();
  /** Peer → stamp of the last word heard of it. */
  readonly #stamps = new Map<PeerId, number>();
  /** Peer → its number, worked out once. */
  readonly #ids = new Map<PeerId, number>();
  #known: ReadonlySet<PeerId> = new Set();
  #states: ReadonlyMap<PeerId, PresenceState> = new Map();
  #self: PresenceState;
  #dropped = 0;
  #destroyed = false;
  #stamp: number | undefined;

  /** Speaks and listens on `seam` (channel 2 of the session's) from now until `destroy`. */
  constructor(seam: Seam, initial: PresenceState) {
    this.#seam = seam;
    this.#self = initial;
    this.#doc.clientID = awarenessId(seam.selfId);
    this.#awareness = new Awareness(this.#doc);
    // Awareness starts an interval that renews and outdates by wall clock; the seam knows better, and nothing may be left running.
    clearInterval(this.#awareness._checkInterval);
    this.#awareness.setLocalState({ ...initial });
    this.#offs.push(seam.on("frame", (from, bytes) => this.#receive(from, bytes)), seam.on("peers", (peers) => this.#greet(peers)));
    this.#greet(seam.peers);
  }

  /** What this peer says of itself. */
  get self(): PresenceState {
    return this.#self;
  }

  /** What the others say, by peer; only connected ones. A new map per change. */
  get states(): ReadonlyMap<PeerId, PresenceState> {
    return this.#states;
  }

  /** Frames dropped: malformed, too large, or about somebody else. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Stands for this peer's last word, so that whoever missed it can tell (`expect`). */
  get stamp(): number {
    this.#stamp ??= stampOf(this.#awareness.meta.get(this.#awareness.clientID)?.clock ?? 0, JSON.stringify(this.#awareness.getLocalState()));
    return this.#stamp;
  }

  /** `from` says that its last word has this stamp: asks for that word when it was not heard. A link can lose frames and stay. */
  expect(from: PeerId, stamp: number): void {
    if (!this.#destroyed && this.#stamps.get(from) !== stamp) attempt(() => this.#seam.sendTo(from, SAY_AGAIN));
  }

  /** True once `peer` said anything while connected. */
  hasHeard(peer: PeerId): boolean {
    return this.#heard.has(peer);
  }

  /** The last leave `peer` announced and did not take back by coming again. */
  farewellOf(peer: PeerId): "part" | "vacate" | undefined {
    return this.#farewells.get(peer);
  }

  /** Changes what this peer says of itself and tells everybody; nothing happens when it is the same. */
  set(patch: Partial<PresenceState>): void {
    if (this.#destroyed) return;
    const next = { ...this.#self, ...patch };
    if (JSON.stringify(next) === JSON.stringify(this.#self)) return;
    this.#self = next;
    this.#stamp = undefined;
    this.#awareness.setLocalState({ ...next });
    attempt(() => this.#seam.broadcast(this.#ownUpdate()));
  }

  /** Adds a listener; returns the function that removes it. `destroy` removes them all. */
  on<K extends keyof PresenceEvents>(event: K, listener: PresenceEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  /** Tells the others that this peer left the lobby, and stops. Idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const off of this.#offs) off();
    this.#awareness.setLocalState(null);
    attempt(() => this.#seam.broadcast(this.#ownUpdate()));
    this.#doc.destroy();
    this.#events.events = {};
  }

  #ownUpdate(): Uint8Array {
    return encodeAwarenessUpdate(this.#awareness, [this.#awareness.clientID]);
  }

  /** Introduces this peer to newcomers and forgets those who went. */
  #greet(peers: ReadonlySet<PeerId>): void {
    const gone = [...this.#known].filter((peer) => !peers.has(peer));
    for (const peer of peers) {
      if (peer !== this.#seam.selfId && !this.#known.has(peer)) attempt(() => this.#seam.sendTo(peer, this.#ownUpdate()));
    }
    this.#known = new Set(peers);
    for (const peer of gone) this.#forget(peer);
    if (gone.some((peer) => this.#states.has(peer))) this.#publish((states) => gone.forEach((peer) => states.delete(peer)));
  }

  #idOf(peer: PeerId): number {
    const id = this.#ids.get(peer) ?? awarenessId(peer);
    this.#ids.set(peer, id);
    return id;
  }

  #forget(peer: PeerId): void {
    const id = this.#idOf(peer);
    this.#ids.delete(peer);
    this.#stamps.delete(peer);
    removeAwarenessStates(this.#awareness, [id], "vanished");
    // A later incarnation of the same peer counts from the start again.
    this.#awareness.meta.delete(id);
    this.#heard.delete(peer);
  }

  #receive(from: PeerId, bytes: Uint8Array): void {
    try {
      this.#apply(from, bytes);
    } catch {
      this.#dropped += 1;
    }
  }

  #apply(from: PeerId, bytes: Uint8Array): void {
    if (bytes.length === 1 && bytes[0] === SAY_AGAIN[0]) return attempt(() => this.#seam.sendTo(from, this.#ownUpdate()));
    const id = this.#idOf(from);
    const { clock, state, stamp } = readUpdate(id, bytes);
    this.#heard.add(from);
    // The same word once more says nothing new, and must not be answered: two peers that greet each other would never stop.
    if (this.#stamps.get(from) === stamp) return;
    // Frames of one sender arrive in order, so a clock that does not grow is a new incarnation, not an old word.
    if ((this.#awareness.meta.get(id)?.clock ?? -1) > clock) {
      this.#awareness.meta.delete(id);
      this.#states = new Map([...this.#states].filter(([peer]) => peer !== from));
    }
    applyAwarenessUpdate(this.#awareness, writeUpdate(id, clock, state), from);
    this.#stamps.set(from, stamp);
    this.#noteFarewell(from, state);
    // A peer just heard of may have started to listen after the greeting it got: it is greeted again, once.
    if (state !== undefined && !this.#states.has(from)) attempt(() => this.#seam.sendTo(from, this.#ownUpdate()));
    this.#publish((states) => (state === undefined ? states.delete(from) : states.set(from, state)));
  }

  #noteFarewell(from: PeerId, state: PresenceState | undefined): void {
    if (state === undefined) return;
    this.#farewells.delete(from);
    if (state.leaving === undefined) return;
    this.#farewells.set(from, state.leaving);
    const [oldest] = this.#farewells.keys();
    if (this.#farewells.size > FAREWELLS_MAX && oldest !== undefined) this.#farewells.delete(oldest);
  }

  #publish(change: (states: Map<PeerId, PresenceState>) => void): void {
    const states = new Map(this.#states);
    change(states);
    this.#states = states;
    this.#events.emit("change", states);
  }
}

/** The word about itself of the sender with this number. Throws `MalformedError` for anything else. */
function readUpdate(id: number, bytes: Uint8Array): { readonly clock: number; readonly state: PresenceState | undefined; readonly stamp: number } {
  if (bytes.length > PRESENCE_BYTES_MAX) throw new MalformedError("presence is too large");
  const reader = new ByteReader(bytes);
  if (reader.uint() !== 1 || reader.uint() !== id) throw new MalformedError("a peer speaks for itself only");
  const clock = reader.uint();
  const text = reader.text();
  const value: unknown = JSON.parse(text);
  reader.end();
  const state = value === null ? undefined : parsePresence(value);
  if (value !== null && state === undefined) throw new MalformedError("not a presence");
  return { clock, state, stamp: stampOf(clock, text) };
}

/** The update again, holding nothing but what was checked. */
function writeUpdate(id: number, clock: number, state: PresenceState | undefined): Uint8Array {
  // Awareness takes clock 0 of an unknown peer for old news, hence the one more.
  return new ByteWriter().uint(1).uint(id).uint(clock + 1).text(JSON.stringify(state ?? null)).finish();
}

/** Sends, and lets go when the other side is gone meanwhile: whoever comes back is greeted again. */
function attempt(send: () => void): void {
  try {
    send();
  } catch {
    // The seam tears or the peer vanishes: `peers` tells, and the next greeting repeats everything.
  }
}

/** A document and the function that stops carrying it. */
export interface SharedDoc {
  readonly doc: Doc;
  /** Frames dropped because they were not updates. */
  readonly dropped: number;
  /** Stops carrying the document either way; the document itself stays as it is. Idempotent. */
  stop(): void;
}

/**
 * Keeps a Y.Doc in step with everybody on `seam` who does the same, with the messages of y-protocols/sync: state vectors are
 * swapped when two peers meet, later changes are broadcast. Nothing is stored; the last one to leave takes it away.
 */
export function shareDoc(seam: Seam, doc: Doc = new Doc()): SharedDoc {
  let known: ReadonlySet<PeerId> = new Set();
  let dropped = 0;
  const message = (type: number, body: Uint8Array): Uint8Array => new ByteWriter().uint(type).bytes(body).finish();
  const greet = (peers: ReadonlySet<PeerId>): void => {
    for (const peer of peers) {
      if (peer !== seam.selfId && !known.has(peer)) attempt(() => seam.sendTo(peer, message(messageYjsSyncStep1, encodeStateVector(doc))));
    }
    known = new Set(peers);
  };
  const receive = (from: PeerId, bytes: Uint8Array): void => {
    const reader = new ByteReader(bytes);
    const type = reader.uint();
    const body = reader.bytes();
    reader.end();
    if (type === messageYjsSyncStep1) attempt(() => seam.sendTo(from, message(messageYjsSyncStep2, encodeStateAsUpdate(doc, body))));
    else if (type === messageYjsSyncStep2 || type === messageYjsUpdate) applyUpdate(doc, body, seam);
    else throw new MalformedError("unknown sync message");
  };
  const onUpdate = (update: Uint8Array, origin: unknown): void => {
    // What came over the seam is not sent back: its author told everybody itself.
    if (origin !== seam) attempt(() => seam.broadcast(message(messageYjsUpdate, update)));
  };
  const offs = [
    seam.on("peers", greet),
    seam.on("frame", (from, bytes) => {
      try {
        receive(from, bytes);
      } catch {
        dropped += 1;
      }
    }),
  ];
  doc.on("update", onUpdate);
  greet(seam.peers);
  return {
    doc,
    get dropped() {
      return dropped;
    },
    stop: () => {
      for (const off of offs) off();
      doc.off("update", onUpdate);
    },
  };
}
