// When a tab that comes into a room learns that its password is not the others'.
import { expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "./base/index.ts";
import { watchKeys } from "./open-match-seam.ts";
import { encryptedSignaling, MemorySignalingHub, signalingKey, type EncryptedSignaling } from "./seam/index.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

const [ANN, BOB, CEM] = ["ann", "bob", "cem"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId];

class Lobby {
  readonly clock = new VirtualClock();
  readonly #hub = new MemorySignalingHub();
  told = 0;

  async join(selfId: PeerId, password: string | undefined): Promise<EncryptedSignaling> {
    const key = await signalingKey({ room: "r", secret: "0123456789abcdefghjkmnpqrs", password });
    return encryptedSignaling(this.#hub.join({ selfId, room: key.place }), key, seededRandom(1));
  }

  watch(place: EncryptedSignaling): () => void {
    return watchKeys(place, this.clock, () => (this.told += 1));
  }
}

test("who hears only words under another key is told once, two seconds later", async () => {
  for (const theirs of ["tide", undefined]) {
    const lobby = new Lobby();
    const [ann, bob] = [await lobby.join(ANN, theirs), await lobby.join(BOB, "ebb")];
    lobby.watch(bob);
    for (let times = 0; times < 3; times += 1) ann.send(BOB, Uint8Array.of(times));
    await lobby.clock.advance(1_900);
    expect(lobby.told).toBe(0);
    await lobby.clock.advance(200);
    ann.send(BOB, Uint8Array.of(9));
    await lobby.clock.advance(10_000);
    expect([lobby.told, lobby.clock.pendingTimers]).toEqual([1, 0]);
  }
});

test("who hears anybody under its own key is not, before or after", async () => {
  for (const isFirst of [true, false]) {
    const lobby = new Lobby();
    const [ann, bob, cem] = [await lobby.join(ANN, "tide"), await lobby.join(BOB, "tide"), await lobby.join(CEM, "ebb")];
    lobby.watch(bob);
    for (const other of isFirst ? [ann, cem] : [cem, ann]) {
      other.send(BOB, Uint8Array.of(1));
      await lobby.clock.advance(1_000);
    }
    await lobby.clock.advance(10_000);
    expect([lobby.told, lobby.clock.pendingTimers]).toEqual([0, 0]);
  }
});

test("who is alone, or has stopped asking, is not", async () => {
  const lobby = new Lobby();
  const [ann, bob] = [await lobby.join(ANN, "tide"), await lobby.join(BOB, "ebb")];
  const stop = lobby.watch(bob);
  await lobby.clock.advance(10_000);
  ann.send(BOB, Uint8Array.of(1));
  await lobby.clock.advance(100);
  stop();
  await lobby.clock.advance(10_000);
  expect([lobby.told, lobby.clock.pendingTimers]).toEqual([0, 0]);
});
