// What browsers do to tabs nobody looks at, in virtual time: timers that come once a second, and a laptop whose lid was closed.
import { afterEach, expect, test } from "vitest";
import type { Clock, PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";

let room: Room;
const open = (): Room => (room = new Room());
const voters = (session: GameSession): string => [...session.node.membership.voters].sort().join();

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

/** Timers of a hidden tab: none goes off but at whole seconds of its own. */
function throttled(clock: Clock, offsetMs: number): Clock {
  const later = (due: number): number => Math.ceil((due - offsetMs) / 1_000) * 1_000 + offsetMs;
  return { now: () => clock.now(), after: (ms, fire) => clock.after(later(clock.now() + ms) - clock.now(), fire) };
}

/** A machine that can be put to sleep: no timer goes off meanwhile, and all that are due do when it wakes, in their order. */
class Machine implements Clock {
  readonly #waiting: (() => void)[] = [];
  #isAsleep = false;

  now(): number {
    return room.clock.now();
  }

  after(ms: number, fire: () => void): () => void {
    let isOver = false;
    const go = (): void => {
      if (isOver) return;
      isOver = true;
      fire();
    };
    const cancel = room.clock.after(ms, () => (this.#isAsleep ? void this.#waiting.push(go) : go()));
    return () => {
      isOver = true;
      cancel();
    };
  }

  sleep(): void {
    this.#isAsleep = true;
  }

  async wake(): Promise<void> {
    this.#isAsleep = false;
    // Each in a task of its own, as a browser does it.
    for (const go of this.#waiting.splice(0)) {
      go();
      await room.clock.advance(0);
    }
  }
}

async function commits(session: GameSession): Promise<boolean> {
  return room.get(session.node.propose(Uint8Array.of(1)).then(() => true, () => false));
}

test("[SE57] with every timer late by up to a second nobody stops leading, nobody is put out, and a crash of the leader is survived", async () => {
  open();
  const seams: [Seam, PeerId][] = [ann, bob, cat].map((id) => [room.seam(id), id]);
  const clocks = [0, 330, 660].map((offsetMs) => throttled(room.clock, offsetMs));
  const host = await room.get(room.host(seams[0]![0], { peerCount: 3, clock: clocks[0]! }));
  const others: GameSession[] = [];
  for (const at of [1, 2]) others.push(await room.get(room.join(seams[at]![0], { clock: clocks[at]! })));
  expect(await room.until(() => voters(host) === "ann,bob,cat")).toBe(true);
  const { term } = host.node.status;
  await room.clock.advance(120_000);
  expect([host.node.role, host.node.status.term, voters(host)]).toEqual(["leader", term, "ann,bob,cat"]);
  room.hub.kill(ann);
  expect(await room.until(() => others.some(({ node }) => node.role === "leader"), 60_000)).toBe(true);
  expect(await commits(others[0]!)).toBe(true);
});

test("[SE19] a leader whose machine slept blames itself: whoever was there is not put out, whichever timer wakes it first", async () => {
  for (let phaseMs = 0; phaseMs < 1_000; phaseMs += 130) {
    open();
    const machine = new Machine();
    const host = await room.get(room.host(room.seam(ann), { peerCount: 2, clock: machine }));
    const guest = await room.get(room.join(room.seam(bob)));
    expect(await room.until(() => voters(host) === "ann,bob")).toBe(true);
    await room.clock.advance(phaseMs);
    const memberships: string[] = [];
    host.node.on("status", () => memberships.push(voters(host)));
    machine.sleep();
    room.hub.block(ann, bob);
    room.hub.block(bob, ann);
    await room.clock.advance(60_000);
    room.hub.heal();
    await machine.wake();
    await room.clock.advance(5_000);
    expect([phaseMs, memberships.filter((members) => members !== "ann,bob"), host.standingOf(bob), guest.isClosed]).toEqual([phaseMs, [], "here", false]);
    expect(await room.until(() => guest.node.leader !== undefined)).toBe(true);
    expect(await commits(guest)).toBe(true);
    await room.end();
  }
});
