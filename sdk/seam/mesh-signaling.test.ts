// Signaling over links: the contract with everybody linked to one member alone, and what that member must not do.
import { afterEach, describe, expect, test } from "vitest";
import { ByteWriter, peerId, seededRandom, type PeerId } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { MemoryHub } from "./memory-seam.ts";
import { MeshSignaling } from "./mesh-signaling.ts";
import { signalingContract } from "./signaling.contract.ts";
import { encodeSignalingFrame, type SignalingFrame } from "./signaling-frame.ts";
import type { Seam } from "./seam.ts";

const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done, 1));
const HUB = peerId("hub");

interface Place {
  readonly seam: Seam;
  readonly signaling: MeshSignaling;
  readonly announced: PeerId[];
  readonly left: PeerId[];
  readonly messages: [PeerId, number][];
  readonly statuses: string[];
}

/** A mesh in which only the pairs that are named are linked. */
class Mesh {
  readonly clock = new VirtualClock();
  readonly hub = new MemoryHub({ clock: this.clock, random: seededRandom(1) });
  readonly places = new Map<PeerId, Place>();

  add(id: PeerId, linkedTo: readonly PeerId[]): Place {
    for (const other of this.places.keys()) if (!linkedTo.includes(other)) this.hub.cut(id, other);
    const seam = this.hub.seam(id);
    const signaling = new MeshSignaling({ selfId: id, clock: this.clock });
    const place: Place = { seam, signaling, announced: [], left: [], messages: [], statuses: [] };
    signaling.on("announced", (peer) => void place.announced.push(peer));
    signaling.on("left", (peer) => void place.left.push(peer));
    signaling.on("message", (from, payload) => void place.messages.push([from, payload[0] ?? -1]));
    signaling.on("status", (status) => void place.statuses.push(status));
    this.places.set(id, place);
    signaling.carry(seam);
    return place;
  }
}

const meshes = new Map<string, Mesh>();
afterEach(() => meshes.clear());

describeContract("MeshSignaling keeps the signaling contract among peers that only a third is linked to", signalingContract, {
  join: async (room, selfId) => {
    let mesh = meshes.get(room);
    if (mesh === undefined) {
      meshes.set(room, (mesh = new Mesh()));
      mesh.add(HUB, []);
    }
    return mesh.add(selfId, [HUB]).signaling;
  },
  turn: nextTask,
});

const [ANN, BOB, CEM, DAN] = ["ann", "bob", "cem", "dan"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId, PeerId];

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await nextTask();
};

function frame(said: SignalingFrame): Uint8Array {
  return Uint8Array.of(0, ...encodeSignalingFrame(said));
}

describe("signaling over links", () => {
  test("[MG1] a newcomer linked to one member is introduced to all of them, and nobody to whom it is linked already", async () => {
    const mesh = new Mesh();
    const ann = mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    await settle();
    expect([ann.announced, bob.announced]).toEqual([[], []]);
    const cem = mesh.add(CEM, [ANN]);
    await settle();
    expect([ann.announced, bob.announced, cem.announced]).toEqual([[], [CEM], [BOB]]);
  });

  test("[MG2] who loses a link is introduced again by whoever is still linked to both", async () => {
    const mesh = new Mesh();
    mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    const cem = mesh.add(CEM, [ANN, BOB]);
    await settle();
    expect(bob.announced).toEqual([]);
    mesh.hub.cut(BOB, CEM);
    await settle();
    expect([new Set(bob.announced), new Set(cem.announced)]).toEqual([new Set([CEM]), new Set([BOB])]);
    bob.signaling.send(CEM, Uint8Array.of(7));
    await settle();
    expect(cem.messages).toEqual([[BOB, 7]]);
  });

  test("[MG3] it is failed while nobody is linked and up while somebody is", async () => {
    const mesh = new Mesh();
    const ann = mesh.add(ANN, []);
    await settle();
    mesh.add(BOB, [ANN]);
    await settle();
    mesh.hub.cut(ANN, BOB);
    await settle();
    expect(ann.statuses).toEqual(["failed", "up", "failed"]);
  });

  test("[MG4] a message goes over one member and never over two", async () => {
    const mesh = new Mesh();
    const ann = mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    const cem = mesh.add(CEM, [BOB]);
    const dan = mesh.add(DAN, [CEM]);
    await settle();
    ann.signaling.send(DAN, Uint8Array.of(1));
    ann.signaling.send(CEM, Uint8Array.of(2));
    // What somebody else said is delivered where it is addressed to, and carried no further.
    ann.seam.sendTo(BOB, frame({ kind: "message", from: DAN, to: CEM, payload: Uint8Array.of(3) }));
    await settle();
    expect([cem.messages, dan.messages]).toEqual([[[ANN, 2]], []]);
    expect(bob.signaling.malformedDropped).toBe(1);
  });

  test("[MG5] nobody but who introduced somebody can say that it is gone", async () => {
    const mesh = new Mesh();
    mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    const cem = mesh.add(CEM, [ANN]);
    const dan = mesh.add(DAN, [ANN, BOB]);
    await settle();
    dan.seam.sendTo(BOB, frame({ kind: "left", from: CEM }));
    await settle();
    expect(bob.left).toEqual([]);
    await cem.signaling.close();
    await settle();
    expect(bob.left).toEqual([CEM]);
  });

  test("[MG6] who asks for too much is refused until time has passed, and others are not", async () => {
    const mesh = new Mesh();
    const ann = mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    const cem = mesh.add(CEM, [ANN]);
    await settle();
    for (let at = 0; at < 600; at += 1) bob.signaling.send(CEM, Uint8Array.of(1));
    await settle();
    const heard = cem.messages.length;
    expect(heard).toBeGreaterThan(400);
    expect(ann.signaling.favoursRefused).toBe(600 - heard);
    cem.signaling.send(BOB, Uint8Array.of(2));
    await mesh.clock.advance(1_000);
    bob.signaling.send(CEM, Uint8Array.of(3));
    await settle();
    expect([bob.messages, cem.messages.at(-1)]).toEqual([[[CEM, 2]], [BOB, 3]]);
  });

  test("[MG7] bytes that make no sense are dropped and counted, whatever they are", async () => {
    const mesh = new Mesh();
    const ann = mesh.add(ANN, []);
    const bob = mesh.add(BOB, [ANN]);
    await settle();
    const nonsense = [
      [], [9], [0], [0, 1], [1], [1, 2, 1], [1, 255, 255, 255, 255, 255], [...frame({ kind: "ping" })],
      [...frame({ kind: "announce", from: BOB, to: ANN })], [...frame({ kind: "announce", from: CEM, to: DAN })],
      [...new ByteWriter().byte(1).uint(1).text("").finish()],
    ];
    for (const bytes of nonsense) bob.seam.sendTo(ANN, Uint8Array.from(bytes));
    await settle();
    expect(ann.signaling.malformedDropped).toBe(nonsense.length);
    expect([ann.announced, ann.messages, ann.left]).toEqual([[], [], []]);
    const random = seededRandom(7);
    for (let at = 0; at < 500; at += 1) bob.seam.sendTo(ANN, Uint8Array.from({ length: random.uint32() % 24 }, () => random.uint32() & 255));
    await settle();
    expect([ann.messages, ann.left]).toEqual([[], []]);
  });
});
