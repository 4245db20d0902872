// What every Seam promises, as data. Run on each implementation and shown to fail on broken ones.
import { assert, bytesEqual, hasCode, PayloadTooLargeError, peerId, type PeerId } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { BACKLOG_FRAMES_MAX, type Seam } from "./seam.ts";

/** How the suite gets seams and lets time pass. */
export interface SeamHarness {
  /** Opens `n` seams of one fresh group; resolves when each sees all. Frame listeners are the suite's to add. */
  readonly open: (n: number) => Promise<Seam[]>;
  /** Makes this peer leave the group for good. For a plain seam that is `seam.close()`, for a view the close of its base. */
  readonly leave: (seam: Seam) => Promise<void>;
  /** Lets a little time pass: what is under way may arrive. */
  readonly turn: () => Promise<void>;
  /** Turns to wait for something that should come. Default 200. */
  readonly patience?: number | undefined;
  /** Set when closing the seam under test does not make the peer leave, and why. */
  readonly closeStays?: string | undefined;
}

interface Heard {
  readonly from: PeerId;
  readonly bytes: Uint8Array;
}

const MARK = 255;

function listen(seam: Seam): Heard[] {
  const heard: Heard[] = [];
  seam.on("frame", (from, bytes) => void heard.push({ from, bytes }));
  return heard;
}

async function until(harness: SeamHarness, what: string, holds: () => boolean): Promise<void> {
  for (let turns = harness.patience ?? 200; turns > 0; turns -= 1) {
    if (holds()) return;
    await harness.turn();
  }
  assert(holds(), `in time: ${what}`);
}

/** Everybody marks the end of what it sent; as frames keep their order, all that came before has then arrived. */
async function settled(harness: SeamHarness, seams: readonly Seam[], heard: readonly Heard[][]): Promise<void> {
  const marks = (at: number): number => (heard[at] ?? []).filter(({ bytes }) => bytes[0] === MARK).length;
  const before = seams.map((_, at) => marks(at));
  for (const seam of seams) seam.broadcast(Uint8Array.of(MARK));
  await until(harness, "everybody's mark", () => seams.every((_, at) => marks(at) >= (before[at] ?? 0) + seams.length - 1));
  await harness.turn();
}

function payloads(heard: readonly Heard[] | undefined): Heard[] {
  return (heard ?? []).filter(({ bytes }) => bytes[0] !== MARK);
}

function thrown(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

function equal<T>(actual: T, expected: T, what: string): void {
  assert(JSON.stringify(actual) === JSON.stringify(expected), `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

/** Opens a group, runs the check, and leaves with everybody, also when the check fails. */
async function withGroup(harness: SeamHarness, n: number, check: (seams: Seam[]) => Promise<void>): Promise<void> {
  const seams = await harness.open(n);
  try {
    await check(seams);
  } finally {
    await Promise.all(seams.map((seam) => harness.leave(seam)));
  }
}

const at = (seams: readonly Seam[], i: number): Seam => {
  const seam = seams[i];
  assert(seam !== undefined, `the harness opened seam ${i}`);
  return seam;
};

const whole: Obligation<SeamHarness> = {
  id: "SM1",
  says: "a frame arrives whole, with the bytes it had when it was sent",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const heard = listen(b);
      const large = Uint8Array.from({ length: a.payloadBytesMax }, (_, i) => (i * 7) % 251);
      const reused = Uint8Array.of(1, 2, 3);
      a.sendTo(b.selfId, new Uint8Array(0));
      a.sendTo(b.selfId, large);
      a.sendTo(b.selfId, reused);
      reused.fill(9);
      await until(harness, "three frames", () => heard.length >= 3);
      equal(heard[0]?.bytes.length, 0, "the empty frame");
      assert(bytesEqual(heard[1]?.bytes ?? reused, large), "the largest frame arrives unchanged");
      equal([...(heard[2]?.bytes ?? [])], [1, 2, 3], "the frame whose buffer was reused");
    }),
};

const ordered: Obligation<SeamHarness> = {
  id: "SM2",
  says: "frames of one sender arrive exactly once and in order, large and small mixed",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const heard = seams.map(listen);
      const [a, b] = [at(seams, 0), at(seams, 1)];
      for (let i = 0; i < 100; i += 1) {
        const bytes = new Uint8Array(i % 10 === 3 ? Math.min(40_000, a.payloadBytesMax) : 4);
        bytes.set([1, i], 0);
        a.sendTo(b.selfId, bytes);
        b.sendTo(a.selfId, Uint8Array.of(2, i));
      }
      await settled(harness, seams, heard);
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      equal(payloads(heard[1]).map(({ bytes }) => bytes[1]), numbers, "what b heard");
      equal(payloads(heard[0]).map(({ bytes }) => bytes[1]), numbers, "what a heard");
    }),
};

const trueSender: Obligation<SeamHarness> = {
  id: "SM3",
  says: "a frame is stamped with its true sender, and nobody hears itself",
  check: (harness) =>
    withGroup(harness, 3, async (seams) => {
      const heard = seams.map(listen);
      seams.forEach((seam, i) => seam.broadcast(Uint8Array.of(i)));
      await settled(harness, seams, heard);
      seams.forEach((seam, i) => {
        const senders = payloads(heard[i]);
        assert(senders.every(({ from }) => from !== seam.selfId), "nobody hears itself");
        assert(senders.every(({ from, bytes }) => from === seams[bytes[0] ?? -1]?.selfId), "the stamp is the sender's id");
      });
    }),
};

const errorOrder: Obligation<SeamHarness> = {
  id: "SM4",
  says: "sendTo checks torn, self, absent, too large, in this order",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const huge = new Uint8Array(a.payloadBytesMax + 1);
      const stranger = peerId("nobody-of-this-name");
      const tooLarge = thrown(() => a.sendTo(b.selfId, huge));
      assert(hasCode(tooLarge, "payload-too-large"), "a frame over the budget is too large");
      const sizes = tooLarge instanceof PayloadTooLargeError ? [tooLarge.actualBytes, tooLarge.maxBytes] : [];
      equal(sizes, [a.payloadBytesMax + 1, a.payloadBytesMax], "the sizes it names");
      assert(hasCode(thrown(() => a.sendTo(stranger, huge)), "peer-not-connected"), "absent comes before too large");
      assert(hasCode(thrown(() => a.sendTo(a.selfId, huge)), "self-send"), "self comes before too large");
      await harness.leave(a);
      for (const to of [a.selfId, b.selfId, stranger]) assert(hasCode(thrown(() => a.sendTo(to, huge)), "seam-torn"), "torn comes first");
    }),
};

const refusedWritesNothing: Obligation<SeamHarness> = {
  id: "SM5",
  says: "a refused send writes nothing",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const heard = seams.map(listen);
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const huge = new Uint8Array(a.payloadBytesMax + 1);
      thrown(() => a.sendTo(b.selfId, huge));
      thrown(() => a.broadcast(huge));
      thrown(() => a.sendTo(a.selfId, Uint8Array.of(1)));
      await settled(harness, seams, heard);
      equal(heard.map((frames) => payloads(frames).length), [0, 0], "frames heard");
    }),
};

const bestEffort: Obligation<SeamHarness> = {
  id: "SM6",
  says: "broadcast alone is no error, and throws only when torn or too large",
  check: (harness) =>
    withGroup(harness, 1, async (seams) => {
      const a = at(seams, 0);
      a.broadcast(Uint8Array.of(1));
      assert(hasCode(thrown(() => a.broadcast(new Uint8Array(a.payloadBytesMax + 1))), "payload-too-large"), "too large is refused, also alone");
      await harness.leave(a);
      assert(hasCode(thrown(() => a.broadcast(Uint8Array.of(1))), "seam-torn"), "torn is refused");
    }),
};

const torn: Obligation<SeamHarness> = {
  id: "SM7",
  says: "torn is final, the first reason wins, and peers is then exactly self",
  check: (harness) =>
    withGroup(harness, 3, async (seams) => {
      const a = at(seams, 0);
      const states: string[] = [];
      const rosters: number[] = [];
      a.on("state", (state) => {
        states.push(state.phase === "torn" ? `torn: ${state.reason}` : state.phase);
        rosters.push(a.peers.size);
      });
      await harness.leave(a);
      await harness.leave(a);
      await a.close();
      await harness.turn();
      const reason = a.state.phase === "torn" ? a.state.reason : "not torn";
      equal(states, [`torn: ${reason}`], "the states told");
      equal(rosters, [1], "the size of the roster when the state was told");
      equal([...a.peers], [a.selfId], "the roster afterwards");
    }),
};

const rosterSets: Obligation<SeamHarness> = {
  id: "SM8",
  says: "peers contains self, is a new set per change, and is the set the event carries",
  check: (harness) =>
    withGroup(harness, 3, async (seams) => {
      const [a, c] = [at(seams, 0), at(seams, 2)];
      const before = a.peers;
      const told: boolean[] = [];
      a.on("peers", (peers) => void told.push(peers === a.peers && peers !== before && peers.has(a.selfId)));
      await harness.leave(c);
      await until(harness, "the event", () => told.length > 0);
      assert(told.every(Boolean), "each event carries the set that peers returns, and a new one");
      equal([before.size, a.peers.size], [3, 2], "the old set is left as it was");
    }),
};

const closeFlushes: Obligation<SeamHarness> = {
  id: "SM9",
  says: "close can be called again, and what was sent before it still arrives",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const heard = listen(b);
      for (let i = 0; i < 50; i += 1) a.sendTo(b.selfId, new Uint8Array(Math.min(20_000, a.payloadBytesMax)).fill(i, 0, 1));
      await Promise.all([harness.leave(a), a.close(), a.close()]);
      await until(harness, "all frames", () => heard.length >= 50);
      equal(heard.map(({ bytes }) => bytes[0]), Array.from({ length: 50 }, (_, i) => i), "what arrived");
    }),
};

const goodbye: Obligation<SeamHarness> = {
  id: "SM10",
  says: "a seam that closes says goodbye, so that the others learn at once",
  unless: (harness) => harness.closeStays,
  check: (harness) =>
    withGroup(harness, 3, async (seams) => {
      const [a, b, c] = [at(seams, 0), at(seams, 1), at(seams, 2)];
      let closed = false;
      void a.close().then(() => {
        closed = true;
      });
      await until(harness, "the others are told", () => !b.peers.has(a.selfId) && !c.peers.has(a.selfId));
      await until(harness, "the closing ends", () => closed);
    }),
};

const backlog: Obligation<SeamHarness> = {
  id: "SM11",
  says: "frames before the first listener are kept in order up to the limit, then the oldest leave",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const echo = listen(a);
      const sent = BACKLOG_FRAMES_MAX + 10;
      for (let i = 0; i < sent; i += 1) a.sendTo(b.selfId, Uint8Array.of(i & 0xff, i >> 8));
      // The answer to the last frame's successor proves that all have arrived, though b does not listen yet.
      b.sendTo(a.selfId, Uint8Array.of(1));
      await until(harness, "the echo", () => echo.length > 0);
      for (let i = 0; i < 20; i += 1) await harness.turn();
      const heard = listen(b);
      await until(harness, "the kept frames", () => heard.length >= BACKLOG_FRAMES_MAX);
      await harness.turn();
      const numbers = heard.map(({ bytes }) => (bytes[0] ?? 0) + ((bytes[1] ?? 0) << 8));
      equal([numbers.length, numbers[0], numbers.at(-1)], [BACKLOG_FRAMES_MAX, 10, sent - 1], "how many, first and last");
      a.sendTo(b.selfId, Uint8Array.of(7, 7));
      await until(harness, "a later frame", () => heard.length > BACKLOG_FRAMES_MAX);
    }),
};

const fullMesh: Obligation<SeamHarness> = {
  id: "SM12",
  says: "three peers and more: everybody sees everybody",
  check: (harness) =>
    withGroup(harness, 4, async (seams) => {
      const everybody = seams.map((seam) => seam.selfId).sort();
      await until(harness, "full rosters", () => seams.every((seam) => seam.peers.size === 4));
      for (const seam of seams) equal([...seam.peers].sort(), everybody, `the roster of ${seam.selfId}`);
    }),
};

const reach: Obligation<SeamHarness> = {
  id: "SM13",
  says: "a broadcast reaches each of the others once, and sendTo exactly one",
  check: (harness) =>
    withGroup(harness, 4, async (seams) => {
      const heard = seams.map(listen);
      at(seams, 0).broadcast(Uint8Array.of(1));
      at(seams, 1).sendTo(at(seams, 2).selfId, Uint8Array.of(2));
      await settled(harness, seams, heard);
      const kinds = heard.map((frames) => payloads(frames).map(({ bytes }) => bytes[0] ?? -1).sort((x, y) => x - y));
      equal(kinds, [[], [1], [1, 2], [1]], "what each heard");
    }),
};

const leaver: Obligation<SeamHarness> = {
  id: "SM14",
  says: "who leaves vanishes from every roster, and those who stay keep each other and go on",
  check: (harness) =>
    withGroup(harness, 4, async (seams) => {
      const gone = at(seams, 1);
      const rest = seams.filter((seam) => seam !== gone);
      const heard = rest.map(listen);
      await harness.leave(gone);
      await until(harness, "the leaver vanishes", () => rest.every((seam) => !seam.peers.has(gone.selfId)));
      const stayed = rest.map((seam) => seam.selfId).sort();
      for (const seam of rest) equal([...seam.peers].sort(), stayed, `the roster of ${seam.selfId}`);
      assert(hasCode(thrown(() => at(rest, 0).sendTo(gone.selfId, Uint8Array.of(1))), "peer-not-connected"), "the leaver can not be reached");
      await settled(harness, rest, heard);
    }),
};

const off: Obligation<SeamHarness> = {
  id: "SM15",
  says: "the off function ends a listener, and only that one",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const first: number[] = [];
      const stop = b.on("frame", (_, bytes) => void first.push(bytes[0] ?? -1));
      const second = listen(b);
      a.sendTo(b.selfId, Uint8Array.of(1));
      await until(harness, "the first frame", () => second.length === 1);
      stop();
      stop();
      a.sendTo(b.selfId, Uint8Array.of(2));
      await until(harness, "the second frame", () => second.length === 2);
      equal(first, [1], "what the stopped listener heard");
    }),
};

const lossy: Obligation<SeamHarness> = {
  id: "SM16",
  says: "a lossy frame is checked like any other, arrives whole, from its true sender, at most once, and takes nothing from the others",
  check: (harness) =>
    withGroup(harness, 2, async (seams) => {
      const [a, b] = [at(seams, 0), at(seams, 1)];
      const heard = seams.map(listen);
      const huge = new Uint8Array(a.payloadBytesMax + 1);
      assert(hasCode(thrown(() => a.sendTo(b.selfId, huge, { lossy: true })), "payload-too-large"), "a lossy frame over the budget is too large");
      // One of those large frames that do not go the lossy way, then as many small ones as it takes until one arrives.
      const large = new Uint8Array(Math.min(60_000, a.payloadBytesMax)).fill(7);
      a.sendTo(b.selfId, large, { lossy: true });
      let sent = 0;
      await until(harness, "a lossy frame", () => {
        sent += 1;
        a.sendTo(b.selfId, Uint8Array.of(1, sent & 127, sent >> 7), { lossy: true });
        a.broadcast(Uint8Array.of(2, sent & 127, sent >> 7), { lossy: true });
        return [1, 2].every((kind) => payloads(heard[1]).some(({ bytes }) => bytes[0] === kind && bytes.length === 3));
      });
      for (let i = 0; i < 20; i += 1) a.sendTo(b.selfId, Uint8Array.of(3, i));
      await settled(harness, seams, heard);
      const came = payloads(heard[1]);
      const names = came.map(({ bytes }) => bytes.subarray(0, 3).join());
      equal(names.length, new Set(names).size, "frames without a copy");
      assert(came.every(({ from }) => from === a.selfId), "the stamp is the sender's id");
      assert(came.some(({ bytes }) => bytesEqual(bytes, large)), "the large frame arrives whole");
      equal(came.filter(({ bytes }) => bytes[0] === 3).map(({ bytes }) => bytes[1]), Array.from({ length: 20 }, (_, i) => i), "the frames that must not be lost");
    }),
};

/** Every promise of the port; the ids are rules of SPEC.md. */
export const seamContract: readonly Obligation<SeamHarness>[] = [
  whole, ordered, trueSender, errorOrder, refusedWritesNothing, bestEffort, torn, rosterSets,
  closeFlushes, goodbye, backlog, fullMesh, reach, leaver, off, lossy,
];
