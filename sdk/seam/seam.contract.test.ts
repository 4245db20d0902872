// The seam contract on every seam that runs in Node, and the proof that the contract can fail.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ManagedSeam } from "./managed-seam.ts";
import { MemoryHub, type LinkFaults } from "./memory-seam.ts";
import { MuxSeam, NamedMux } from "./mux.ts";
import { seamContract, type SeamHarness } from "./seam.contract.ts";
import type { Seam, SeamEvents, SendOptions } from "./seam.ts";

const ids = (n: number): PeerId[] => Array.from({ length: n }, (_, i) => peerId(`peer-${i}`));

/** Seams of a fresh hub per group, on a clock that every turn moves by 10 ms. */
function memoryHarness(faults: Partial<LinkFaults> = {}, over: (seam: Seam) => Seam = (seam) => seam): SeamHarness {
  const clock = new VirtualClock();
  const bases = new Map<Seam, Seam>();
  return {
    open: async (n) => {
      const hub = new MemoryHub({ clock, random: seededRandom(7), faults, payloadBytesMax: 100_000 });
      const seams = ids(n).map((id) => {
        const base = hub.seam(id);
        const seam = over(base);
        bases.set(seam, base);
        return seam;
      });
      await clock.advance(0);
      return seams;
    },
    leave: async (seam) => {
      const left = (bases.get(seam) ?? seam).close();
      await clock.advance(200);
      await left;
    },
    turn: () => clock.advance(10),
    patience: 100,
  };
}

describeContract("MemorySeam keeps the seam contract", seamContract, memoryHarness());
describeContract("MemorySeam with delay and jitter keeps the seam contract", seamContract, memoryHarness({ delayMs: 20, jitterMs: 30 }));

const closeStays = "closing a view leaves its base open";
describeContract("a MuxSeam view keeps the seam contract", seamContract, {
  ...memoryHarness({}, (base) => new MuxSeam(base).channel(3)),
  closeStays,
});
describeContract("a NamedMux view inside a MuxSeam view keeps the seam contract", seamContract, {
  ...memoryHarness({}, (base) => new NamedMux(new MuxSeam(base).channel(3)).channel("chat é")),
  closeStays,
});

function managedHarness(): SeamHarness {
  const harness = memoryHarness({}, (base) => {
    const managed = new ManagedSeam(base.selfId, base.payloadBytesMax);
    managed.attach(base);
    return managed;
  });
  const leave = async (seam: Seam): Promise<void> => {
    const left = seam.close();
    for (let turns = 0; turns < 20; turns += 1) await harness.turn();
    await left;
  };
  return { ...harness, leave };
}

describeContract("a ManagedSeam over a MemorySeam keeps the seam contract", seamContract, managedHarness());

/** A seam that does everything its base does; broken ones override one thing. */
class Wrapped implements Seam {
  readonly base: Seam;

  constructor(base: Seam) {
    this.base = base;
  }

  get selfId(): PeerId {
    return this.base.selfId;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.base.peers;
  }

  get state(): Seam["state"] {
    return this.base.state;
  }

  get payloadBytesMax(): number {
    return this.base.payloadBytesMax;
  }

  on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    return this.base.on(event, listener);
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    this.base.broadcast(bytes, options);
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    this.base.sendTo(peer, bytes, options);
  }

  close(): Promise<void> {
    return this.base.close();
  }
}

type FrameListener = SeamEvents["frame"];

/** Lets a broken seam meddle with the frames it hands out. */
abstract class Meddling extends Wrapped {
  override on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    if (event !== "frame") return super.on(event, listener);
    const hear = listener as FrameListener;
    return this.base.on("frame", (from, bytes) => this.meddle(from, bytes, hear));
  }

  protected abstract meddle(from: PeerId, bytes: Uint8Array, hear: FrameListener): void;
}

class Duplicating extends Meddling {
  protected meddle(from: PeerId, bytes: Uint8Array, hear: FrameListener): void {
    hear(from, bytes);
    hear(from, bytes);
  }
}

class Truncating extends Meddling {
  protected meddle(from: PeerId, bytes: Uint8Array, hear: FrameListener): void {
    hear(from, bytes.subarray(0, 50_000));
  }
}

class Forging extends Meddling {
  protected meddle(_: PeerId, bytes: Uint8Array, hear: FrameListener): void {
    hear(peerId("peer-0"), bytes);
  }
}

class Reordering extends Meddling {
  #held: (() => void) | undefined;

  protected meddle(from: PeerId, bytes: Uint8Array, hear: FrameListener): void {
    const earlier = this.#held;
    this.#held = undefined;
    if (earlier === undefined && bytes[1] === 50) this.#held = (): void => hear(from, bytes);
    else {
      hear(from, bytes);
      earlier?.();
    }
  }
}

class HearingItself extends Wrapped {
  readonly #own: FrameListener[] = [];

  override on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    if (event === "frame") this.#own.push(listener as FrameListener);
    return super.on(event, listener);
  }

  override broadcast(bytes: Uint8Array): void {
    super.broadcast(bytes);
    for (const hear of this.#own) hear(this.selfId, bytes.slice());
  }
}

class CheckingSizeFirst extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array): void {
    if (bytes.length > this.payloadBytesMax) {
      const other = [...this.peers].find((id) => id !== this.selfId) ?? peer;
      this.base.sendTo(other, bytes);
    }
    this.base.sendTo(peer, bytes);
  }
}

class WritingWhatItRefuses extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array): void {
    if (bytes.length > this.payloadBytesMax) this.base.broadcast(Uint8Array.of(1));
    super.sendTo(peer, bytes);
  }
}

class ThrowingWhenAlone extends Wrapped {
  override broadcast(bytes: Uint8Array): void {
    if (this.peers.size === 1) throw new Error("nobody is here");
    super.broadcast(bytes);
  }
}

class KeepingItsRoster extends Wrapped {
  #roster: ReadonlySet<PeerId> = new Set();

  override get peers(): ReadonlySet<PeerId> {
    if (this.base.state.phase !== "torn") this.#roster = this.base.peers;
    return this.#roster;
  }
}

class ForgettingSurvivors extends Wrapped {
  #size = 0;
  #alone: ReadonlySet<PeerId> | undefined;

  constructor(base: Seam) {
    super(base);
    this.#size = base.peers.size;
    base.on("peers", (peers) => {
      if (peers.size === 3 && this.#size === 4) this.#alone = new Set([this.selfId]);
      this.#size = peers.size;
    });
  }

  override get peers(): ReadonlySet<PeerId> {
    return this.#alone ?? this.base.peers;
  }
}

class CopyingItsRoster extends Wrapped {
  override get peers(): ReadonlySet<PeerId> {
    return new Set(this.base.peers);
  }
}

class ClosingWithoutGoodbye extends Wrapped {
  #closed = false;

  override get state(): Seam["state"] {
    return this.#closed ? { phase: "torn", reason: "closed" } : this.base.state;
  }

  override close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}

class ForgettingEarlyFrames extends Wrapped {
  constructor(base: Seam) {
    super(base);
    base.on("frame", () => {});
  }
}

class KeepingEverything extends Wrapped {
  readonly #kept: { readonly from: PeerId; readonly bytes: Uint8Array }[] = [];
  #listened = false;

  constructor(base: Seam) {
    super(base);
    base.on("frame", (from, bytes) => {
      if (!this.#listened) this.#kept.push({ from, bytes });
    });
  }

  override on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    if (event === "frame" && !this.#listened) {
      this.#listened = true;
      for (const { from, bytes } of this.#kept.splice(0)) (listener as FrameListener)(from, bytes);
    }
    return super.on(event, listener);
  }
}

class BroadcastingEverything extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array): void {
    super.sendTo(peer, bytes);
    for (const other of this.peers) if (other !== this.selfId && other !== peer) super.sendTo(other, bytes);
  }
}

/** Takes for lost what was lost once: every lossy frame goes out twice. */
class DoublingWhatMayBeLost extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    for (let times = options?.lossy === true ? 2 : 1; times > 0; times -= 1) super.sendTo(peer, bytes, options);
  }
}

/** Loses everything that goes the lossy way. */
class LosingAll extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    if (options?.lossy !== true || bytes.length > this.payloadBytesMax) super.sendTo(peer, bytes, options);
  }
}

class NeverStopping extends Wrapped {
  override on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    super.on(event, listener);
    return () => {};
  }
}

class SendingLater extends Wrapped {
  override sendTo(peer: PeerId, bytes: Uint8Array): void {
    if (bytes.length > this.payloadBytesMax || peer === this.selfId || !this.peers.has(peer)) return super.sendTo(peer, bytes);
    void Promise.resolve().then(() => {
      if (this.peers.has(peer)) super.sendTo(peer, bytes);
    });
  }
}

describe("the seam contract fails on broken seams, on the rules meant", () => {
  const broken: readonly (readonly [string, (base: Seam) => Seam, readonly string[]])[] = [
    ["a faithful wrapper", (base) => new Wrapped(base), []],
    ["frames delivered twice", (base) => new Duplicating(base), ["SM1", "SM2", "SM9", "SM11", "SM13", "SM15", "SM16"]],
    ["frames cut short", (base) => new Truncating(base), ["SM1", "SM16"]],
    ["a false sender", (base) => new Forging(base), ["SM3"]],
    ["two frames swapped", (base) => new Reordering(base), ["SM2"]],
    ["a seam that hears itself", (base) => new HearingItself(base), ["SM3", "SM13"]],
    ["the size checked first", (base) => new CheckingSizeFirst(base), ["SM4"]],
    ["a refused frame written in part", (base) => new WritingWhatItRefuses(base), ["SM5"]],
    ["a broadcast that needs company", (base) => new ThrowingWhenAlone(base), ["SM6"]],
    ["a torn seam that keeps its roster", (base) => new KeepingItsRoster(base), ["SM7"]],
    ["survivors forgotten when one leaves", (base) => new ForgettingSurvivors(base), ["SM14"]],
    ["a roster copied on every look", (base) => new CopyingItsRoster(base), ["SM8"]],
    ["no goodbye", (base) => new ClosingWithoutGoodbye(base), ["SM10"]],
    ["early frames forgotten", (base) => new ForgettingEarlyFrames(base), ["SM11"]],
    ["early frames kept without a limit", (base) => new KeepingEverything(base), ["SM11"]],
    ["sendTo that reaches everybody", (base) => new BroadcastingEverything(base), ["SM13"]],
    ["a listener that can not be removed", (base) => new NeverStopping(base), ["SM15"]],
    ["lossy frames doubled", (base) => new DoublingWhatMayBeLost(base), ["SM16"]],
    ["lossy frames all lost", (base) => new LosingAll(base), ["SM16"]],
    ["frames read after the call, and lost by close", (base) => new SendingLater(base), ["SM1", "SM9"]],
  ];
  test.each(broken)("%s", async (_, breakIt, rules) => {
    const harness = memoryHarness({}, breakIt);
    expect(await brokenObligations(seamContract, { ...harness, patience: 20 })).toEqual(rules);
  });

  test("the hub's own faults are seen too: reordering, duplication, loss", async () => {
    const run = (faults: Partial<LinkFaults>): Promise<string[]> => brokenObligations(seamContract, { ...memoryHarness(faults), patience: 20 });
    expect(await run({ reorder: 0.3 })).toContain("SM2");
    expect(await run({ duplicate: 0.3 })).toContain("SM2");
    expect(await run({ drop: 0.3 })).toContain("SM2");
    expect(await run({ lossyDrop: 0.3 })).toEqual([]);
    expect(await run({ lossyDrop: 1 })).toEqual(["SM16"]);
  });
});
