// What runs in each of the three tabs: a mesh, a Raft node on it, and the bare pattern past both. The script outside calls `tabBench`.
import { peerId, type PeerId } from "../../base/index.ts";
import { systemClock, systemRandom, wallClock } from "../../platform/index.ts";
import { openReplica, RAFT_PRESETS, type Replica } from "../../replica/index.ts";
import { APPLICATION_TAG, BroadcastChannelSignaling, MuxSeam, RAFT_TAG, type Seam } from "../../seam/index.ts";
import { WebRtcSeam } from "../../seam/webrtc/index.ts";
import { MemoryByteStore } from "../../storage/index.ts";
import { BareTab } from "./tab-bare.ts";
import { tappedLinks, type BareLink } from "./tab-tap.ts";
import { Stopwatch, type TabSample } from "./tab-stopwatch.ts";

const NO_STATE = new Uint8Array(0);

/** What this page handed to the browser, whoever's it was: what both sides pay for. */
let messagesSent = 0;
let bytesSent = 0;

function countMessages(): void {
  const { prototype } = RTCDataChannel;
  const send = prototype.send as (this: RTCDataChannel, data: ArrayBufferView<ArrayBuffer>) => void;
  prototype.send = function counted(this: RTCDataChannel, data: ArrayBufferView<ArrayBuffer>): void {
    messagesSent += 1;
    bytesSent += data.byteLength;
    send.call(this, data);
  } as typeof prototype.send;
}

/** The page's side of the bench, as the script outside sees it. */
export class TabBench {
  readonly #bare = new BareTab();
  #application: Seam | undefined;
  #replica: Replica | undefined;
  #flooded: () => void = () => {};

  /** Joins the mesh; resolves when all are linked to this tab. */
  async link(self: string, all: readonly string[], room: string): Promise<void> {
    const selfId = peerId(self);
    const openLink = tappedLinks((link) => this.#bare.links.push(link), (bytes, link) => this.#bare.heard(bytes, link));
    const signaling = new BroadcastChannelSignaling({ selfId, room });
    const seam = new WebRtcSeam({ selfId, signaling, clock: systemClock, random: systemRandom(), iceServers: [], openLink });
    await new Promise<void>((done) => {
      seam.on("peers", (peers) => {
        if (peers.size === all.length) done();
      });
    });
    const mux = new MuxSeam(seam);
    this.#application = mux.channel(APPLICATION_TAG);
    this.#application.on("frame", (from, bytes) => this.#appFrame(from, bytes));
    this.#replica = await openReplica({
      seam: mux.channel(RAFT_TAG), groupId: "bench", clock: systemClock, random: systemRandom(), wallClock, voters: all.map(peerId), storage: new MemoryByteStore(), config: RAFT_PRESETS.browser,
    });
  }

  /** True when this tab leads and both others follow. */
  get isLeader(): boolean {
    return this.#node.role === "leader";
  }

  /** Messages and bytes this page has sent. */
  sent(): readonly [messages: number, bytes: number] {
    return [messagesSent, bytesSent];
  }

  get term(): number {
    return this.#node.status.term;
  }

  /** Forgets what committed so far, so that no round carries what another left. */
  async compact(): Promise<void> {
    await this.#node.snapshot(this.#node.appliedIndex, NO_STATE);
  }

  bare(options: { readonly ms: number; readonly entryBytes: number; readonly perMessage: number; readonly messages: number }): Promise<TabSample> {
    return this.#bare.commit(options);
  }

  /** Keeps `inFlight` proposals under way for about `ms`, each followed by the next when it resolves. */
  async raft({ ms, entryBytes, inFlight }: { readonly ms: number; readonly entryBytes: number; readonly inFlight: number }): Promise<TabSample> {
    const node = this.#node;
    // The serial in front of it keeps neighbours from sharing any of the payload's bytes on the wire: all of them travel, as in the bare pattern.
    const payload = new Uint8Array(entryBytes).fill(7);
    const watch = new Stopwatch();
    const proposer = async (): Promise<void> => {
      const end = performance.now() + ms;
      for (let start = performance.now(), now = start; now < end; start = now) {
        await node.propose(payload);
        now = performance.now();
        watch.took(now - start);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, proposer));
    return watch.sample();
  }

  /** One way over one link, past the seam. */
  floodBare(count: number, size: number): Promise<TabSample> {
    return this.#bare.flood(this.#bareLink, count, size);
  }

  /** One way through the seam and a channel of it. */
  floodSeam(count: number, size: number): Promise<TabSample> {
    const seam = this.#application;
    if (seam === undefined) throw new Error("not linked");
    const [to] = [...seam.peers].filter((peer) => peer !== seam.selfId);
    if (to === undefined) throw new Error("alone");
    const watch = new Stopwatch();
    const payload = new Uint8Array(size);
    return new Promise((done) => {
      this.#flooded = () => {
        watch.took(watch.elapsedMs, count);
        done(watch.sample());
      };
      for (let sent = 0; sent < count; sent += 1) seam.sendTo(to, payload);
      seam.sendTo(to, Uint8Array.of(1));
    });
  }

  #appFrame(from: PeerId, bytes: Uint8Array): void {
    if (bytes[0] === 1) this.#application?.sendTo(from, Uint8Array.of(2));
    else if (bytes[0] === 2) this.#flooded();
  }

  get #node(): Replica {
    if (this.#replica === undefined) throw new Error("not linked");
    return this.#replica;
  }

  get #bareLink(): BareLink {
    const [link] = this.#bare.links;
    if (link === undefined) throw new Error("not linked");
    return link;
  }
}

declare global {
  var tabBench: TabBench;
}

countMessages();
globalThis.tabBench = new TabBench();
