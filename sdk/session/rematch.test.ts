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
