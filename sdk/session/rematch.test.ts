// A rematch as a word of the session: asked for, taken back, lost with the seat.
import { afterEach, expect, test } from "vitest";
import { ann, bob, cat, Room } from "./test-room.ts";

let room: Room;
const open = (): Room => (room = new Room());

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

test("[SE58] resolves for both once both have asked, whoever leads, and everybody's roster says which game it is", async () => {
  open();
  const [first, second] = await room.group([ann, bob]);
  const watcher = await room.get(room.spectate(room.seam(cat)));
  for (const game of [2, 3]) {
    const wishes = [second!.rematch()];
    expect(await room.until(() => first!.roster.asked.length === 1)).toBe(true);
    wishes.push(first!.rematch());
    await room.get(Promise.all(wishes));
    expect(await room.until(() => [first!, second!, watcher].every(({ roster }) => roster.game === game && roster.asked.length === 0))).toBe(true);
  }
});

test("[SE58] who asks twice at once asks for one game, and the next one still takes everybody's word", async () => {
  open();
  const [first, second] = await room.group([ann, bob]);
  const wish = second!.rematch();
  expect(await room.until(() => first!.roster.asked.length === 1)).toBe(true);
  await room.get(Promise.all([wish, first!.rematch(), first!.rematch()]));
  await room.clock.advance(1_000);
  expect([first!, second!].map(({ roster }) => [roster.game, roster.asked])).toEqual([[2, []], [2, []]]);
});

test("[SE58] a wish is taken back by its signal, refused without a seat, and ends with the seat or the session", async () => {
  open();
  const [first, second] = await room.group([ann, bob]);
  const watcher = await room.get(room.spectate(room.seam(cat)));
  expect(await room.failure(watcher.rematch())).toMatchObject({ code: "invalid-argument" });
  expect(await room.failure(first!.rematch({ signal: AbortSignal.abort(new Error("no")) }))).toMatchObject({ message: "no" });
  const abort = new AbortController();
  const wish = room.failure(first!.rematch({ signal: abort.signal }));
  await room.clock.advance(1_000);
  expect(second!.roster.asked).toEqual([ann]);
  abort.abort(new Error("never mind"));
  expect(await wish).toMatchObject({ message: "never mind" });
  expect(await room.until(() => second!.roster.asked.length === 0)).toBe(true);
  const standing = room.failure(second!.rematch());
  await room.clock.advance(1_000);
  await room.get(second!.stand());
  expect(await standing).toMatchObject({ code: "closed" });
  expect(await room.until(() => first!.roster.asked.length === 0 && first!.roster.game === 1)).toBe(true);
});

test("[SE58] [SE66] a wish made while nobody leads is said until somebody does, and not given up as unknown", async () => {
  open();
  const [first, second] = await room.group([ann, bob], { raftConfig: { proposeTimeoutMs: 2_000 } });
  room.hub.partition([bob]);
  const wish = second!.rematch();
  wish.catch(() => {});
  // Longer than a proposal may take, and not as long as a silent voter is counted.
  await room.clock.advance(9_000);
  room.hub.heal();
  expect(await room.until(() => first!.roster.asked.includes(bob), 60_000)).toBe(true);
  await room.get(Promise.all([wish, first!.rematch()]));
  expect(second!.roster.game).toBe(2);
});

test("[SE66] whoever gives up leaves the wish to the others of its tab that wait, and the last one takes it back", async () => {
  open();
  const [first, second] = await room.group([ann, bob]);
  const aborts = [new AbortController(), new AbortController(), new AbortController()];
  const wishes = aborts.map(({ signal }) => room.failure(first!.rematch({ signal })));
  expect(await room.until(() => second!.roster.asked.includes(ann))).toBe(true);
  aborts[0]!.abort(new Error("one"));
  aborts[1]!.abort(new Error("two"));
  await room.clock.advance(3_000);
  expect([await wishes[0], await wishes[1], second!.roster.asked]).toMatchObject([{ message: "one" }, { message: "two" }, [ann]]);
  aborts[2]!.abort(new Error("three"));
  expect(await room.until(() => second!.roster.asked.length === 0)).toBe(true);
  expect(await wishes[2]).toMatchObject({ message: "three" });
  // Given up in the very task it was made: nothing of it stays.
  const hasty = new AbortController();
  const wish = room.failure(first!.rematch({ signal: hasty.signal }));
  hasty.abort(new Error("never"));
  expect(await wish).toMatchObject({ message: "never" });
  await room.clock.advance(3_000);
  expect([second!.roster.asked, second!.roster.game]).toEqual([[], 1]);
});

test("[SE66] a wish outlives its tab: who comes back asks still, can wait for it, and can take it back", async () => {
  open();
  const [first, second] = await room.durableGroup([ann, bob]);
  const back = async (): Promise<NonNullable<Awaited<ReturnType<Room["resume"]>>>> => {
    room.hub.kill(bob, { noticedAfterMs: 100 });
    await room.clock.advance(1_000);
    const again = (await room.get(room.resume(bob)))!;
    expect(await room.until(() => again.node.leader !== undefined && again.roster.asked.includes(bob))).toBe(true);
    return again;
  };
  second!.rematch().catch(() => {});
  expect(await room.until(() => first!.roster.asked.includes(bob))).toBe(true);
  const again = await back();
  const wish = room.failure(again.rematch());
  await room.clock.advance(1_000);
  await room.get(again.cancelRematch());
  expect(await wish).toMatchObject({ code: "closed" });
  expect(await room.until(() => first!.roster.asked.length === 0)).toBe(true);
  await room.get(again.cancelRematch());
  again.rematch().catch(() => {});
  expect(await room.until(() => first!.roster.asked.includes(bob))).toBe(true);
  const third = await back();
  await room.get(Promise.all([first!.rematch(), third.rematch()]));
  expect(third.roster.game).toBe(2);
  await third.close();
  expect(await room.failure(third.cancelRematch())).toMatchObject({ code: "closed" });
});
