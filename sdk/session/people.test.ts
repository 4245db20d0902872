// Who is here, as a session shows it: seats and spectators in virtual time.
import { afterEach, expect, test } from "vitest";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, dan, eve, Room } from "./test-room.ts";

let room: Room;
const open = (): Room => (room = new Room());
const shown = ({ people }: GameSession): string[] => people.map(({ name, seat, presence }) => `${name} ${seat ?? "-"} ${presence}`);

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

async function table(): Promise<GameSession[]> {
  open();
  const host = await room.get(room.host(room.seam(ann), { name: "Ann", peerCount: 2 }));
  const guest = await room.get(room.join(room.seam(bob), { name: "Bob" }));
  const watcher = await room.get(room.spectate(room.seam(cat), { name: "Cat" }));
  return [host, guest, watcher];
}

test("[SE50] everybody shows the same people, seats before spectators, and hears when somebody changes", async () => {
  const sessions = await table();
  for (const session of sessions) expect(await room.until(() => shown(session).join() === "Ann 0 here,Bob 1 here,Cat - here"), session.selfId).toBe(true);
  await room.clock.advance(2_000);
  const before = sessions[0]!.people;
  let told = 0;
  sessions[0]!.on("change", () => (told += 1));
  await room.clock.advance(2_000);
  expect(sessions[0]!.people).toBe(before);
  told = 0;
  await room.get(sessions[2]!.rename("Kit"));
  expect(await room.until(() => shown(sessions[0]!).includes("Kit - here"))).toBe(true);
  expect(told).toBeGreaterThan(0);
});

test("[SE50] a seat whose owner falls silent is away, then gone, and here again when its owner is", async () => {
  const [host, guest] = await table();
  const seat = (): string | undefined => shown(host!)[1];
  let told: (string | undefined)[] = [];
  host!.on("change", () => (told = told.at(-1) === seat() ? told : [...told, seat()]));
  room.hub.partition([ann, cat], [bob]);
  expect(await room.until(() => seat() === "Bob 1 gone")).toBe(true);
  // Silence is looked at once a second.
  await room.clock.advance(1_000);
  expect(told.filter((now) => now !== "Bob 1 here")).toEqual(["Bob 1 away", "Bob 1 gone"]);
  room.hub.heal();
  expect(await room.until(() => seat() === "Bob 1 here" && host!.node.membership.voters.includes(bob))).toBe(true);
  expect(guest!.isClosed).toBe(false);
});

test("[SE50] a spectator whose link is down keeps its name and is away, and is shown no more once it is out of the group", async () => {
  const [host] = await table();
  const spectator = (): string | undefined => shown(host!)[2];
  room.hub.kill(cat, { noticedAfterMs: 100 });
  await room.clock.advance(200);
  expect(spectator()).toBe("Cat - away");
  const seen: (string | undefined)[] = [];
  expect(await room.until(() => (seen.at(-1) !== spectator() && seen.push(spectator()), spectator() === undefined))).toBe(true);
  expect([undefined, "Cat - gone"]).toContain(seen.filter((now) => now !== "Cat - away")[0]);
});

test("[SE50] who says goodbye is gone at once: a tab that may come back from its seat, a player that gives up from the list", async () => {
  const [host, guest, watcher] = await table();
  guest!.part();
  await room.clock.advance(100);
  expect(shown(host!)[1]).toBe("Bob 1 gone");
  await room.get(watcher!.leave());
  await room.clock.advance(100);
  expect(shown(host!)).toEqual(["Ann 0 here", "Bob 1 gone"]);
});

test("[SE50] who stands up watches, who was put out is shown no more, and a newcomer without a seat is not shown before it has one", async () => {
  const [host, guest] = await table();
  await room.get(guest!.stand());
  expect(await room.until(() => shown(host!).join() === "Ann 0 here,Bob - here,Cat - here")).toBe(true);
  await room.get(host!.kick(cat));
  expect(await room.until(() => shown(host!).join() === "Ann 0 here,Bob - here")).toBe(true);
  const joining = room.join(room.seam(dan), { name: "Dan" });
  const lists = new Set<string>();
  host!.on("change", () => lists.add(shown(host!).filter((line) => line.startsWith("Dan")).join()));
  await room.get(joining);
  expect([...lists].filter((line) => line !== "")).toEqual(["Dan 1 here"]);
  expect(shown(host!)).not.toContain(eve);
});
