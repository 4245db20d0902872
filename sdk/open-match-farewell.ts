// A leader's goodbye on a second way: when a page goes away its data channels may be gone or full, so the same words leave over signaling too, sealed.
import { authCode, bytesEqual, ByteReader, ByteWriter, concatBytes, utf8, type PeerId, type Random } from "./base/index.ts";
import { verifySignature, type Identity } from "./identity/index.ts";
import type { RaftNode } from "./replica/index.ts";
import type { Seam } from "./seam/index.ts";

const KEY_BYTES = 32;
const SEAL_BYTES = 16;
/** Peers whose keys are kept; beyond them the one met longest ago is forgotten, and its goodbye counts on the link alone. */
const KEYS_MAX = 256;

/** How {@link Farewells} are made. */
export interface FarewellOptions {
  readonly identity: Identity;
  /** Carries keys between peers that are connected; used by nothing else. */
  readonly channel: Seam;
  /** Not to be foreseen by others. */
  readonly random: Random;
  /** Sends beside the links; must not wait. */
  readonly send: (to: PeerId, bytes: Uint8Array) => void;
  /** Whose goodbyes are said and heard; undefined while there is nobody. */
  readonly node: () => Pick<RaftNode, "goodbye" | "hearGoodbye"> | undefined;
}

/**
 * Says goodbye beside the links, and hears the others'. In `pagehide` there is no time to sign, and what is to be said changes with every commit. So
 * each peer hands everybody it meets a key of their own, signed with its identity, and seals its last words with that at once. A goodbye sealed here
 * grants nothing before it is sent and says nothing but what the one on the link says: whoever gets both takes the first.
 */
export class Farewells {
  readonly #options: FarewellOptions;
  /** What this peer seals with, for each it ever met: the same as long as the page lives, because the other may not have heard a newer one. */
  readonly #own = new Map<PeerId, Uint8Array>();
  readonly #theirs = new Map<PeerId, Uint8Array>();
  readonly #offs: (() => void)[];
  #met: ReadonlySet<PeerId> = new Set();

  constructor(options: FarewellOptions) {
    this.#options = options;
    const { channel } = options;
    this.#offs = [channel.on("frame", (from, bytes) => void this.#learn(from, bytes)), channel.on("peers", () => this.#meet())];
    this.#meet();
  }

  /** Sends what the node would say if it parted now, in this very task. To be called before it parts. */
  say(): void {
    const goodbye = this.#options.node()?.goodbye();
    const key = goodbye === undefined ? undefined : this.#own.get(goodbye.to);
    if (goodbye === undefined || key === undefined) return;
    this.#options.send(goodbye.to, concatBytes(authCode(key, goodbye.bytes, SEAL_BYTES), goodbye.bytes));
  }

  /** Takes what came beside the links, if it is sealed with the key its sender once handed over. Anything else is dropped. */
  hear(from: PeerId, sealed: Uint8Array): void {
    const node = this.#options.node();
    const key = this.#theirs.get(from);
    if (node === undefined || key === undefined) return;
    const bytes = sealed.subarray(SEAL_BYTES);
    if (bytesEqual(authCode(key, bytes, SEAL_BYTES), sealed.subarray(0, SEAL_BYTES))) node.hearGoodbye(from, bytes);
  }

  stop(): void {
    for (const off of this.#offs) off();
  }

  #meet(): void {
    const { channel } = this.#options;
    const before = this.#met;
    this.#met = new Set(channel.peers);
    for (const peer of this.#met) if (!before.has(peer) && peer !== channel.selfId) void this.#handKey(peer);
  }

  async #handKey(peer: PeerId): Promise<void> {
    const { identity, channel } = this.#options;
    const key = this.#own.get(peer) ?? this.#newKey();
    keep(this.#own, peer, key);
    try {
      const signature = await identity.sign(handedText(peer, key));
      if (channel.peers.has(peer)) channel.sendTo(peer, new ByteWriter().bytes(identity.publicKey).bytes(signature).bytes(key).finish());
    } catch {
      // Without it there is the goodbye over the link.
    }
  }

  async #learn(from: PeerId, frame: Uint8Array): Promise<void> {
    const read = readKey(frame);
    if (read === undefined) return;
    const { publicKey, signature, key } = read;
    if (await verifySignature({ peerId: from, publicKey, signature }, handedText(this.#options.channel.selfId, key))) keep(this.#theirs, from, key);
  }

  #newKey(): Uint8Array {
    const key = new Uint8Array(KEY_BYTES);
    for (let at = 0; at < KEY_BYTES; at += 1) key[at] = this.#options.random.uint32();
    return key;
  }
}

/** Kept as the newest of at most {@link KEYS_MAX}. */
function keep(keys: Map<PeerId, Uint8Array>, peer: PeerId, key: Uint8Array): void {
  keys.delete(peer);
  keys.set(peer, key);
  const [oldest] = keys.keys();
  if (keys.size > KEYS_MAX && oldest !== undefined) keys.delete(oldest);
}

function handedText(to: PeerId, key: Uint8Array): Uint8Array {
  return concatBytes(utf8(`goodbye key to ${to}\0`), key);
}

function readKey(frame: Uint8Array): { readonly publicKey: Uint8Array; readonly signature: Uint8Array; readonly key: Uint8Array } | undefined {
  try {
    const reader = new ByteReader(frame);
    const read = { publicKey: reader.bytes(), signature: reader.bytes(), key: reader.bytes() };
    reader.end();
    return read.key.length === KEY_BYTES ? read : undefined;
  } catch {
    return undefined;
  }
}
