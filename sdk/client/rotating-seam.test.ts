// Endpoints that can not be reached, are slow, flap, or lead nowhere: who is asked when, and that the peer on top stays the same.
import fc from "fast-check";
import { expect, test } from "vitest";
import { peerId, seededRandom } from "../base/index.ts";
import { beginRotation, moveOn, pauseMs, provenGood, ROTATION_BACKOFF } from "./rotation.ts";
import { RotatingSeam, type LinkStatus, type RotationOptions } from "./rotating-seam.ts";
import { Room, type Mood, type TestEndpoint } from "./test-room.ts";

const bot = peerId("bot");

async function rotating(moods: readonly Mood[], options: Partial<RotationOptions> = {}, tokens: readonly Uint8Array[] = []): Promise<{ room: Room; endpoints: TestEndpoint[]; link: RotatingSeam; said: LinkStatus[]; asked: () => string }> {
  const room = new Room();
  room.hub.seam(peerId("server"));
  const endpoints = room.endpoints(bot, ...moods);
  for (const [at, endpoint] of endpoints.entries()) endpoint.tokens = tokens[at];
  const link = new RotatingSeam(bot, endpoints, { clock: room.clock, random: seededRandom(5), ...options });
  const said: LinkStatus[] = [];
  link.on("status", (status) => said.push(status));
  // Whoever enters hears a leader, as long as nobody says otherwise.
  link.on("status", ({ phase }) => phase === "connected" && link.hears(true));
  const asked = (): string => endpoints.flatMap(({ name, asked: times }) => times.map(({ at }) => ({ name, at }))).sort((a, b) => a.at - b.at).map(({ name }) => name).join(" ");
  // What answers at once has answered before time passes.
  await room.clock.advance(0);
  return { room, endpoints, link, said, asked };
}

test("[CC12] endpoints are asked in order and round again, and none that can not be reached ends it", async () => {
  const { room, link, endpoints, asked, said } = await rotating(["unreachable", "unreachable", "unreachable"]);
  await room.clock.advance(600_000);
  expect(asked()).toMatch(/^e1 e2 e3 e1 e2 e3 e1/u);
  // Pauses grow to their bound: not more than one attempt in half of 15 s, not less than one in 15.
  const late = endpoints.flatMap(({ asked: times }) => times).filter(({ at }) => at > 300_000);
  expect(late.length).toBeGreaterThanOrEqual(19);
  expect(late.length).toBeLessThanOrEqual(41);
  expect(said).toContainEqual({ phase: "waiting", endpoint: "e2", attempt: 2, pauseMs: expect.any(Number), reason: "e1 (nobody answers) is closed" });
  expect(said).toContainEqual({ phase: "connecting", endpoint: "e2", attempt: 2 });
  endpoints[1]!.mood = "good";
  expect(await room.until(() => link.status.phase === "connected")).toBe(true);
  expect([...link.seam.peers]).toContain("server");
  await room.get(link.close());
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC12] an endpoint that does not answer in time is left, and what it gives too late is closed", async () => {
  const { room, link, endpoints } = await rotating(["silent", "late", "good"], { connectTimeoutMs: 1_000 });
  expect(await room.until(() => link.status.phase === "connected", 5_000)).toBe(true);
  expect(link.status).toMatchObject({ endpoint: "e3" });
  // A hub gives one peer one seam: the one that comes late takes the good one's place, is closed at once, and the next endpoint is asked.
  await room.until(() => endpoints[1]!.given.size === 0 && link.status.phase === "connected", 30_000);
  await room.clock.advance(20_000);
  expect(endpoints[1]!.given.size).toBe(0);
  await room.get(link.close());
});

test("[CC13] an endpoint that takes a client in and drops it is asked ever more rarely, and proves good only by holding", async () => {
  const { room, link, endpoints } = await rotating(["flapping"], { goodAfterMs: 10_000 });
  await room.clock.advance(120_000);
  const [endpoint] = endpoints as [TestEndpoint];
  // 250 ms doubled up to 15 s: eight attempts in the first half minute, then one in 7.5 to 15 s.
  expect(endpoint.asked.length).toBeGreaterThanOrEqual(12);
  expect(endpoint.asked.length).toBeLessThanOrEqual(24);
  const gaps = endpoint.asked.map(({ at }, index) => at - (endpoint.asked[index - 1]?.at ?? 0)).slice(1);
  expect(Math.min(...gaps.slice(-3))).toBeGreaterThan(7_000);
  // It holds for 9 s: still not good.
  endpoint.mood = "good";
  await room.until(() => link.status.phase === "connected");
  await room.clock.advance(9_000);
  endpoint.drop();
  expect(link.status).toMatchObject({ phase: "waiting", attempt: expect.any(Number) });
  expect(link.status.phase === "waiting" && link.status.pauseMs).toBeGreaterThan(7_000);
  await room.until(() => link.status.phase === "connected");
  await room.clock.advance(10_001);
  endpoint.drop();
  expect(link.status).toMatchObject({ phase: "waiting", attempt: 1 });
  expect(link.status.phase === "waiting" && link.status.pauseMs).toBeLessThanOrEqual(250);
  await room.get(link.close());
});

test("[CC13] a way on which no leader is heard never proves good, however long it holds, and the pauses grow with each round of such ways", async () => {
  const room = new Room();
  room.hub.seam(peerId("server"));
  const endpoints = room.endpoints(bot, "good", "good");
  // As they are by default: what holds for as long as it takes to prove good is left for want of a leader at the same moment.
  const link = new RotatingSeam(bot, endpoints, { clock: room.clock, random: seededRandom(5) });
  const pauses: number[] = [];
  /** What is heard on each way from its beginning on. */
  let heard = (): void => link.hears(false);
  link.on("status", (status) => {
    if (status.phase === "connected") heard();
    if (status.phase === "waiting") pauses.push(status.pauseMs);
  });
  await room.clock.advance(300_000);
  expect(pauses.length).toBeGreaterThan(10);
  for (const [at, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(Math.min(15_000, 250 * 2 ** Math.floor((at + 1) / 2)) / 2);
  // A leader that is heard for a moment proves nothing either.
  heard = (): void => {
    link.hears(true);
    room.clock.after(9_000, () => link.hears(false));
  };
  pauses.length = 0;
  await room.clock.advance(120_000);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(7_500);
  // One that is heard for long enough does.
  await room.until(() => link.status.phase === "waiting");
  heard = (): void => {
    link.hears(false);
    room.clock.after(9_000, () => link.hears(true));
  };
  await room.until(() => link.status.phase === "connected");
  await room.clock.advance(20_000);
  for (const endpoint of endpoints) endpoint.drop();
  expect(link.status).toMatchObject({ phase: "waiting", attempt: 1 });
  await room.get(link.close());
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC22] an endpoint that will never have this client is asked once more in a second round; where no other lets it in, that ends it by name", async () => {
  const { room, link, endpoints, said, asked } = await rotating(["good", "unreachable", "good"]);
  endpoints[0]!.refuses = "invalid";
  endpoints[2]!.refuses = "invalid";
  await room.clock.advance(0);
  endpoints[0]!.drop();
  expect(await room.until(() => link.status.phase === "closed")).toBe(true);
  expect(link.failure).toMatchObject({ code: "endpoint-refused", refusal: "invalid" });
  expect(link.status).toEqual({ phase: "closed", failure: link.failure });
  expect(link.seam.state).toEqual({ phase: "torn", reason: link.failure!.message });
  // Six refusals are two rounds of three.
  expect(said.filter((status) => status.phase === "waiting" && status.reason.includes("so it is"))).toHaveLength(5);
  const before = asked();
  await room.clock.advance(60_000);
  expect(asked()).toBe(before);
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC22] what passes is no such refusal, and one that lets the client in makes the others count anew", async () => {
  const { room, link, endpoints } = await rotating(["good", "good"]);
  endpoints[0]!.refuses = "not-now";
  endpoints[1]!.refuses = "not-now";
  endpoints[0]!.drop();
  await room.clock.advance(600_000);
  expect(link.status.phase).not.toBe("closed");
  for (let times = 0; times < 4; times += 1) {
    for (const endpoint of endpoints) endpoint.refuses = "invalid";
    const asked = endpoints[0]!.asked.length + endpoints[1]!.asked.length;
    await room.until(() => endpoints[0]!.asked.length + endpoints[1]!.asked.length === asked + 3);
    for (const endpoint of endpoints) endpoint.refuses = undefined;
    expect(await room.until(() => link.status.phase === "connected")).toBe(true);
    for (const endpoint of endpoints) endpoint.drop();
  }
  expect(link.failure).toBeUndefined();
  await room.get(link.close());
});

test("[CC22] who is put out although the way was good was not left by a server that went: that is a failure", async () => {
  const { room, link, endpoints } = await rotating(["good"]);
  await room.clock.advance(20_000);
  endpoints[0]!.putOut("not-now");
  expect(link.status).toMatchObject({ phase: "waiting", attempt: 2 });
  await room.get(link.close());
});

test("[CC23] of two under one identity the one that came first gives way, by name, and the other goes on", async () => {
  const { room, link, endpoints } = await rotating(["good"]);
  await room.clock.advance(20_000);
  const [twin] = room.endpoints(bot, "good") as [TestEndpoint];
  for (const endpoint of [endpoints[0]!, twin]) endpoint.saysReplaced = true;
  const other = new RotatingSeam(bot, [twin], { clock: room.clock, random: seededRandom(6) });
  other.on("status", ({ phase }) => phase === "connected" && other.hears(true));
  expect(await room.until(() => link.status.phase === "closed")).toBe(true);
  expect(link.failure).toMatchObject({ code: "identity-in-use", message: expect.stringContaining("bot") });
  expect(await room.until(() => other.status.phase === "connected")).toBe(true);
  await room.clock.advance(120_000);
  expect(other.status.phase).toBe("connected");
  expect(twin.asked.length + endpoints[0]!.asked.length).toBeLessThanOrEqual(4);
  await room.get(other.close());
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC23] taken over once, as after a core sorted out two connections of one peer, it comes back and stays; again much later, too", async () => {
  const { room, link, endpoints } = await rotating(["good"]);
  for (let times = 0; times < 3; times += 1) {
    await room.clock.advance(70_000);
    expect(link.status.phase).toBe("connected");
    endpoints[0]!.putOut("replaced");
  }
  await room.clock.advance(10_000);
  expect(link.status.phase).toBe("connected");
  await room.get(link.close());
});

test("[CC13] a way that was good and then led nowhere is one failure, whatever there was before it", async () => {
  const { room, link, endpoints } = await rotating(["unreachable", "unreachable"]);
  await room.clock.advance(60_000);
  for (const endpoint of endpoints) endpoint.mood = "good";
  await room.until(() => link.status.phase === "connected");
  await room.clock.advance(10_001);
  link.moveOn("it leads nowhere");
  expect(link.status).toMatchObject({ phase: "waiting", attempt: 2, reason: "it leads nowhere" });
  await room.get(link.close());
});

test("[CC13] pauses are jittered, never nothing, the same within a round, and bounded, whatever happens in which order", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 7 }), fc.array(fc.constantFrom("fail", "good", "lost")), fc.nat(), (endpoints, story, seed) => {
    const random = seededRandom(seed);
    let rotation = beginRotation(endpoints);
    let failures = 0;
    for (const what of story) {
      const { at } = rotation;
      rotation = what === "good" ? provenGood(rotation) : moveOn(rotation, endpoints, what === "lost");
      failures = what === "fail" ? failures + 1 : 0;
      expect(rotation).toEqual({ at: what === "good" ? at : (at + 1) % endpoints, failures });
      const whole = Math.min(ROTATION_BACKOFF.maxMs, ROTATION_BACKOFF.firstMs * 2 ** Math.floor(failures / endpoints));
      const pause = pauseMs(rotation, endpoints, ROTATION_BACKOFF, random);
      expect(pause).toBeGreaterThanOrEqual(whole / 2);
      expect(pause).toBeLessThanOrEqual(whole);
    }
  }));
  expect(() => beginRotation(0)).toThrow(/at least one endpoint/u);
  expect(new Set(Array.from({ length: 50 }, (_, seed) => beginRotation(3, seededRandom(seed)).at))).toEqual(new Set([0, 1, 2]));
});

test("[CC14] the newest token goes to whichever endpoint is next; one that does not know it is asked again at once without, and that is no failure", async () => {
  const kept: (Uint8Array | undefined)[] = [];
  const { room, link, endpoints } = await rotating(["good", "good", "good"], { token: Uint8Array.of(1), onToken: (token) => kept.push(token) }, [Uint8Array.of(1, 1), Uint8Array.of(1, 2), Uint8Array.of(9)]);
  const [first, second, third] = endpoints as [TestEndpoint, TestEndpoint, TestEndpoint];
  await room.clock.advance(20_000);
  expect(link.token).toEqual(Uint8Array.of(1, 1));
  first.drop();
  await room.clock.advance(20_000);
  expect(link.status).toMatchObject({ phase: "connected", endpoint: "e2" });
  second.drop();
  const before = room.clock.now();
  await room.clock.advance(20_000);
  expect(link.status).toEqual({ phase: "connected", endpoint: "e3", window: "closed" });
  expect(endpoints.map(({ asked }) => asked.map(({ token }) => token))).toEqual([[Uint8Array.of(1)], [Uint8Array.of(1, 1)], [Uint8Array.of(1, 2), undefined]]);
  expect(third.asked[1]!.at).toBe(third.asked[0]!.at);
  expect(third.asked[0]!.at - before).toBeLessThanOrEqual(250);
  expect(kept).toEqual([Uint8Array.of(1, 1), Uint8Array.of(1, 2), undefined, Uint8Array.of(9)]);
  await room.get(link.close());
});

test("[CC15] the seam stays the same over every endpoint, alone between two, and is torn by its own end alone", async () => {
  const { room, link, endpoints } = await rotating(["good", "good"]);
  const rosters: number[] = [link.seam.peers.size];
  link.seam.on("peers", ({ size }) => rosters.push(size));
  const { seam } = link;
  await room.clock.advance(11_000);
  endpoints[0]!.drop();
  expect([...seam.peers]).toEqual([bot]);
  expect(seam.state.phase).toBe("woven");
  expect(await room.until(() => link.status.phase === "connected")).toBe(true);
  expect(link.seam).toBe(seam);
  expect(rosters).toEqual([2, 1, 2]);
  await room.get(seam.close());
  expect(link.status).toEqual({ phase: "closed" });
  expect(seam.state.phase).toBe("torn");
  await room.clock.advance(60_000);
  expect(endpoints.flatMap(({ asked }) => asked)).toHaveLength(2);
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC15] an endpoint whose frames are smaller than what is promised is left like one that can not be reached", async () => {
  const { room, link, said } = await rotating(["good", "good"], { payloadBytesMax: 8 * 1024 * 1024 });
  await room.clock.advance(5_000);
  expect(link.status.phase).not.toBe("connected");
  expect(said.find(({ phase }) => phase === "waiting")).toMatchObject({ reason: expect.stringContaining("8388608") });
  await room.get(link.close());
});

test("[CC12] an attempt that is under way when the seam is closed is ended, and what it still gives is closed", async () => {
  const { room, link, endpoints } = await rotating(["late"], { connectTimeoutMs: 60_000 });
  await room.clock.advance(1_000);
  await room.get(link.close());
  await room.clock.advance(60_000);
  expect(endpoints[0]!.given.size).toBe(0);
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC12] nothing is waited for any more once the seam is closed, also where an endpoint never answers", async () => {
  const { room, link } = await rotating(["silent"], { connectTimeoutMs: 60_000 });
  await room.clock.advance(1_000);
  await room.get(link.close());
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC12] a listener that throws does not keep the next endpoint from being asked", async () => {
  const { room, link, endpoints } = await rotating(["unreachable", "good"]);
  link.on("status", () => {
    throw new Error("a broken view");
  });
  await room.clock.advance(60_000);
  expect(link.status).toMatchObject({ phase: "connected", endpoint: "e2" });
  expect(endpoints.map(({ asked }) => asked.length)).toEqual([1, 1]);
  await room.get(link.close());
  expect(room.clock.pendingTimers).toBe(0);
});

test("[CC14] a token that can not be kept costs this client nothing", async () => {
  const onToken = (): void => {
    throw new Error("the storage is full");
  };
  const { room, link, endpoints } = await rotating(["good"], { onToken }, [Uint8Array.of(1)]);
  await room.clock.advance(60_000);
  expect(link.status).toMatchObject({ phase: "connected" });
  expect(endpoints[0]!.asked).toHaveLength(1);
  await room.get(link.close());
});
