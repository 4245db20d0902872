// A host that brings a match along: the group begins with a file, and the host on a seat of its choice.
import { expect, test } from "vitest";
import { foldedExport, LANE_GAME, type LogEvent } from "../replica/index.ts";
import { ann, bob, cat, Room } from "./test-room.ts";

const section = Uint8Array.of(7, 7);

test("[SE41] a group founded from a file begins with its state and free seats, the host on the seat it asked for, and says what is played", async () => {
  const room = new Room();
  const old = await room.get(room.host(room.seam(ann), { rules: "chess@1" }));
  await room.get(old.node.propose(Uint8Array.of(1)));
  const file = old.node.exportLog();
  const { index } = await room.get(old.node.propose(Uint8Array.of(2)));
  await room.get(old.close());
  room.depart(ann);
  const host = await room.get(room.host(room.seam(cat), { from: foldedExport(file, { section }), seat: 1, peerCount: 3, rules: "chess@1" }));
  expect(host.roster).toMatchObject({ seats: [undefined, { peer: cat }, undefined], rules: "chess@1" });
  expect(host.groupId).not.toBe(old.groupId);
  const joined = await room.get(room.join(room.seam(bob), { rules: "chess@1" }));
  expect(joined.roster.seats.map((taken) => taken?.peer)).toEqual([bob, cat, undefined]);
  for (const { node } of [host, joined]) {
    const events: LogEvent[] = [];
    node.follow((event) => events.push(event))();
    expect(events[0]).toMatchObject({ type: "install", index: index - 1 });
    expect(events[0]?.type === "install" ? [...events[0].sections] : []).toEqual([[LANE_GAME, section]]);
  }
  await room.end();
});

test("[SE41] a seat that is not there, and a file that is none, are refused and leave nothing behind", async () => {
  const room = new Room();
  expect(await room.failure(room.host(room.seam(ann), { seat: 2 }))).toMatchObject({ code: "invalid-argument" });
  expect(await room.failure(room.host(room.seam(bob), { from: section }))).toMatchObject({ code: "corrupt-state", record: "export" });
  await room.end();
});
