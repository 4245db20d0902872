// What a leader sends per committed entry as the audience grows: to members directly, and to an audience that is fed. Counted in bytes, in virtual time.
import { expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { BROWSER_CONFIG } from "../raft/index.ts";
import { FeedRoom } from "./test-room.ts";

const VOTERS = 5;
const ENTRIES = 60;
/** Between two commands: a fast game, slow enough that a commit is told before the next command comes. */
const PACE_MS = 100;
const PAYLOAD_BYTES = 24;
const AUDIENCES = [0, 10, 50, 200] as const;
/** Set it by hand to print the table of SCALE.md. */
const PRINTS = process.env["SCALE_TABLE"] !== undefined;

interface Measured {
  readonly audience: number;
  /** Bytes per committed entry. */
  readonly leader: number;
  readonly busiestOther: number;
  readonly depth: number;
  /** From a commit on the leader until the last one of the audience shows it, ms, links of 20 ms. */
  readonly lastMs: number;
}

async function measure(audience: number, how: "direct" | "fed"): Promise<Measured> {
  const room = await FeedRoom.of(VOTERS, 11, { config: BROWSER_CONFIG, faults: { delayMs: 20 } });
  await room.clock.advance(1_000);
  const leader = room.leader!;
  const ids = Array.from({ length: audience }, (_, at) => peerId(`w${at}`));
  try {
    for (const id of ids) await (how === "direct" ? room.open(id) : room.watch(id));
    if (how === "direct" && audience > 0) {
      const { voters } = leader.node.membership;
      await settle(room, leader.node.changeMembership({ voters, learners: ids }));
    }
    const isHere = (id: PeerId): boolean => room.tabs.get(id)?.node.appliedIndex === leader.node.appliedIndex;
    for (let ms = 0; ms < 60_000 && !ids.every(isHere); ms += 100) await room.clock.advance(100);
    for (const sent of [room.sent.raft, room.sent.feed]) sent.clear();
    for (let at = 0; at < ENTRIES; at += 1) {
      leader.node.propose(new Uint8Array(PAYLOAD_BYTES).fill(at)).catch(() => {});
      await room.clock.advance(PACE_MS);
    }
    const perEntry = (id: PeerId): number => ((room.sent.raft.get(id) ?? 0) + (room.sent.feed.get(id) ?? 0)) / ENTRIES;
    const others = [...room.tabs.keys()].filter((id) => id !== leader.id).map(perEntry);
    const before = leader.node.appliedIndex;
    leader.node.propose(new Uint8Array(PAYLOAD_BYTES)).catch(() => {});
    while (leader.node.appliedIndex === before) await room.clock.advance(1);
    let lastMs = 0;
    for (; !ids.every(isHere); lastMs += 1) {
      if (lastMs > 10_000) throw new Error("the audience never came as far as the leader");
      await room.clock.advance(1);
    }
    const depths = ids.map((id) => room.tabs.get(id)?.node.status.feed?.depth ?? 0);
    expect(ids.map((id) => room.digest(id))).toEqual(ids.map(() => room.digest(leader.id)));
    return { audience, leader: perEntry(leader.id), busiestOther: Math.max(...others), depth: Math.max(0, ...depths), lastMs };
  } finally {
    await room.close();
  }
}

async function settle(room: FeedRoom, promise: Promise<unknown>): Promise<void> {
  let isOpen = true;
  promise.finally(() => (isOpen = false)).catch(() => {});
  while (isOpen) await room.clock.advance(20);
  await promise;
}

function print(how: string, rows: readonly Measured[]): void {
  if (!PRINTS) return;
  for (const { audience, leader, busiestOther, depth, lastMs } of rows) process.stdout.write(`| ${how} | ${audience} | ${Math.round(leader)} | ${Math.round(busiestOther)} | ${depth} | ${lastMs} |\n`);
}

test("[FD2] a leader of five voters sends an audience of 200 that is fed no more per entry than one of 10; sent to members directly it grows with each of them", async () => {
  const direct: Measured[] = [];
  const fed: Measured[] = [];
  for (const audience of AUDIENCES) {
    direct.push(await measure(audience, "direct"));
    fed.push(await measure(audience, "fed"));
  }
  print("direct", direct);
  print("fed", fed);
  const [none, ten, fifty, most] = fed.map(({ leader }) => leader);
  const [directNone, , , directMost] = direct.map(({ leader }) => leader);
  // With the audience: every member of it costs the leader its own copy.
  const perSpectator = (directMost! - directNone!) / 200;
  expect(perSpectator).toBeGreaterThan(PAYLOAD_BYTES);
  for (const { audience, leader } of direct) expect(Math.abs(leader - directNone! - audience * perSpectator)).toBeLessThan(0.1 * (directNone! + audience * perSpectator));
  // With the fan-out: nothing is added at all while other members feed, whoever is fed further down.
  for (const bytes of [ten, fifty, most]) expect(bytes).toBeLessThan(none! * 1.02);
  // Nobody else pays for it either: a member answers the leader and at most eight children, one of the audience its eight.
  for (const { busiestOther } of fed) expect(busiestOther).toBeLessThan(8 * 1.5 * perSpectator + none!);
}, 300_000);

test("[FD2] where there is no other member the leader feeds as many as its fan-out, and no more", async () => {
  const bytes: number[] = [];
  for (const audience of [8, 40]) {
    const room = await FeedRoom.of(1, 12, { config: BROWSER_CONFIG, faults: { delayMs: 20 } });
    try {
      for (let at = 0; at < audience; at += 1) await room.watch(peerId(`w${at}`));
      await room.clock.advance(10_000);
      room.sent.feed.clear();
      for (let at = 0; at < ENTRIES; at += 1) {
        room.leader!.node.propose(new Uint8Array(PAYLOAD_BYTES).fill(at)).catch(() => {});
        await room.clock.advance(PACE_MS);
      }
      await room.clock.advance(1_000);
      expect([...room.tabs.values()].every(({ node }) => node.appliedIndex === room.leader!.node.appliedIndex)).toBe(true);
      bytes.push(room.sent.feed.get(room.leader!.id) ?? 0);
    } finally {
      await room.close();
    }
  }
  expect(bytes[1]! / bytes[0]!).toBeLessThan(1.05);
}, 120_000);
