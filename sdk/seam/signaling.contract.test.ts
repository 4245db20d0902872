// The signaling contract on what runs in Node without a server, and the proof that it can fail.
import { describe, expect, test } from "vitest";
import { ClosedError, peerId, type PeerId } from "../base/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { BroadcastChannelSignaling } from "./broadcast-channel-signaling.ts";
import { combineSignaling } from "./combined-signaling.ts";
import { MemorySignalingHub } from "./memory-signaling.ts";
import { signalingContract, type SignalingHarness } from "./signaling.contract.ts";
import type { Signaling, SignalingEvents } from "./signaling.ts";

const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done, 1));

function memoryHarness(over: (place: Signaling) => Signaling = (place) => place): SignalingHarness {
  const hub = new MemorySignalingHub();
  return { join: async (room, selfId) => over(hub.join({ selfId, room })), turn: nextTask };
}

const inTabs: SignalingHarness = {
  join: async (room, selfId) => new BroadcastChannelSignaling({ selfId, room }),
  turn: nextTask,
};

describeContract("MemorySignaling keeps the signaling contract", signalingContract, memoryHarness());
describeContract("BroadcastChannelSignaling keeps the signaling contract in Node", signalingContract, inTabs);

const [hubOne, hubTwo] = [new MemorySignalingHub(), new MemorySignalingHub()];
describeContract("CombinedSignaling keeps the signaling contract over three channels at once", signalingContract, {
  join: async (room, selfId) =>
    combineSignaling([hubOne.join({ selfId, room }), hubTwo.join({ selfId, room }), new BroadcastChannelSignaling({ selfId, room: `c-${room}` })]),
  turn: nextTask,
});

/** Does what its base does; broken ones override one thing. */
class Wrapped implements Signaling {
  readonly base: Signaling;
  isClosed = false;

  constructor(base: Signaling) {
    this.base = base;
  }

  get selfId(): PeerId {
    return this.base.selfId;
  }

  on<K extends keyof SignalingEvents>(event: K, listener: SignalingEvents[K]): () => void {
    return this.base.on(event, listener);
  }

  announce(): void {
    this.base.announce();
  }

  send(to: PeerId, payload: Uint8Array): void {
    this.base.send(to, payload);
  }

  close(): Promise<void> {
    return this.base.close();
  }
}

class SendingTwice extends Wrapped {
  override send(to: PeerId, payload: Uint8Array): void {
    super.send(to, payload);
    super.send(to, payload);
  }
}

class SendingLate extends Wrapped {
  override send(to: PeerId, payload: Uint8Array): void {
    if (payload.length > 10 && payload.length < 60_000) void nextTask().then(() => super.send(to, payload));
    else super.send(to, payload);
  }
}

class Silent extends Wrapped {
  override announce(): void {}
}

class LosingItsVoice extends Wrapped {
  override announce(): void {
    super.announce();
    // What a channel without `left` would be: the base stays open behind it.
    this.close = async (): Promise<void> => {
      this.isClosed = true;
    };
  }

  override send(to: PeerId, payload: Uint8Array): void {
    if (this.isClosed) throw new ClosedError("test");
    super.send(to, payload);
  }
}

class WithoutLimit extends Wrapped {
  override send(to: PeerId, payload: Uint8Array): void {
    super.send(to, payload.subarray(0, 60_000));
  }
}

class TalkingAfterClose extends Wrapped {
  override close(): Promise<void> {
    this.isClosed = true;
    return super.close();
  }

  override announce(): void {
    if (!this.isClosed) super.announce();
  }
}

describe("the signaling contract fails on broken channels, on the rules meant", () => {
  const broken: readonly (readonly [string, (base: Signaling) => Signaling, readonly string[]])[] = [
    ["a faithful wrapper", (base) => new Wrapped(base), []],
    ["messages sent twice", (base) => new SendingTwice(base), ["SG1", "SG2", "SG6"]],
    ["large messages late", (base) => new SendingLate(base), ["SG2"]],
    ["announcements that reach nobody", (base) => new Silent(base), ["SG3", "SG4", "SG5", "SG7"]],
    ["no goodbye", (base) => new LosingItsVoice(base), ["SG5"]],
    ["no limit", (base) => new WithoutLimit(base), ["SG6"]],
    ["announcing after close", (base) => new TalkingAfterClose(base), ["SG7"]],
  ];
  test.each(broken)("%s", async (_, breakIt, rules) => {
    expect(await brokenObligations(signalingContract, { ...memoryHarness(breakIt), patience: 20 })).toEqual(rules);
  });

  test("one room for all breaks SG8", async () => {
    const hub = new MemorySignalingHub();
    const harness: SignalingHarness = { join: async (_, selfId) => hub.join({ selfId, room: "one" }), turn: nextTask, patience: 20 };
    expect(await brokenObligations(signalingContract, harness)).toEqual(["SG8"]);
  });
});

describe("signaling beside the contract", () => {
  test("[SG9] bytes that are no signaling frame are dropped and counted", async () => {
    const selfId = peerId("ann");
    const place = new BroadcastChannelSignaling({ selfId, room: "rubbish" });
    const rogue = new BroadcastChannel("flotilla-signaling:rubbish");
    const heard = new Promise((done) => place.on("left", done));
    for (const rubbish of [null, "text", 7, {}, new Uint8Array(0), Uint8Array.of(1, 9), Uint8Array.of(2, 0, 1, 97, 0), Uint8Array.of(1, 2, 1, 97, 0)]) rogue.postMessage(rubbish);
    rogue.postMessage(Uint8Array.of(1, 2, 1, 97));
    expect(await heard).toBe("a");
    expect(place.malformedDropped).toBe(8);
    rogue.close();
    await place.close();
  });

  test("[SG12] several channels deliver one copy of each, also of equal messages, and as long as one works", async () => {
    const hubs = [new MemorySignalingHub(), new MemorySignalingHub()] as const;
    const join = (name: string): Signaling => combineSignaling([hubs[0].join({ selfId: peerId(name), room: "r" }), hubs[1].join({ selfId: peerId(name), room: "r" })]);
    const [ann, bob] = [join("ann"), join("bob")];
    const heard: number[] = [];
    bob.on("message", (_, payload) => void heard.push(payload[0] ?? -1));
    ann.send(bob.selfId, Uint8Array.of(1));
    ann.send(bob.selfId, Uint8Array.of(1));
    await nextTask();
    hubs[0].silent = true;
    ann.send(bob.selfId, Uint8Array.of(2));
    await nextTask();
    expect(heard).toEqual([1, 1, 2]);
  });

  test("[SG12] several channels are up while any is, and failed when all are", async () => {
    const hub = new MemorySignalingHub();
    const parts = [1, 2].map(() => {
      const base = hub.join({ selfId: peerId("ann"), room: "r" });
      let tell: SignalingEvents["status"] = () => {};
      const part: Signaling = {
        selfId: base.selfId,
        on: (event, listener) => {
          if (event === "status") tell = listener as SignalingEvents["status"];
          return () => {};
        },
        announce: () => {},
        send: () => {},
        close: () => base.close(),
      };
      return { part, tell: ((status, reason) => tell(status, reason)) as SignalingEvents["status"] };
    });
    const [one, two] = parts as [(typeof parts)[0], (typeof parts)[0]];
    const whole = combineSignaling([one.part, two.part]);
    const told: string[] = [];
    whole.on("status", (status) => void told.push(status));
    one.tell("up", "");
    two.tell("up", "");
    one.tell("failed", "");
    two.tell("down", "");
    two.tell("failed", "");
    expect(told).toEqual(["up", "up", "down", "failed"]);
  });
});
