// Seats as a pure reducer.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedError, peerId, type PeerId } from "../base/index.ts";
import type { CommittedCommand } from "../replica/index.ts";
import { decideAdmission } from "./admission.ts";
import { applyRosterCommand, decodeRosterCommand, EMPTY_ROSTER, encodeRosterCommand, mayManage, rosterLane, seatOf, STOOD_MAX, type Roster, type RosterCommand } from "./roster.ts";

const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map(peerId) as [PeerId, PeerId, PeerId, PeerId];
const open: RosterCommand = { type: "open", seats: 2, name: "Ann", spectators: "open", votersMax: 5 };

function after(...steps: readonly (readonly [PeerId, RosterCommand])[]): Roster {
  return steps.reduce((roster, [proposer, command], at) => applyRosterCommand(roster, command, proposer, at + 1), EMPTY_ROSTER);
}

/** What one more word makes of it, at an index after all the others. */
const apply = (roster: Roster, command: RosterCommand, proposer: PeerId): Roster => applyRosterCommand(roster, command, proposer, 100);

function committed(index: number, proposer: PeerId, payload: Uint8Array): CommittedCommand {
  return { type: "command", index, lane: 2, key: { clientId: "c", requestId: index }, proposer, payload, time: 0, duplicate: false };
}

describe("the roster", () => {
  test("opens once, for the first proposer, who takes seat 0", () => {
    const roster = after([ann, open], [bob, { ...open, seats: 9 }]);
    expect(roster.seats).toEqual([{ peer: ann, name: "Ann" }, undefined]);
  });

  test("opens with the host on the seat it takes, and says what is played; a seat that is not there opens nothing", () => {
    expect(after([ann, { ...open, seat: 1, rules: "chess@2" }])).toMatchObject({ seats: [undefined, { peer: ann }], rules: "chess@2" });
    expect(after([ann, { ...open, seat: 2 }])).toBe(EMPTY_ROSTER);
  });

  test("an opening word and a section of the first builds are still read", () => {
    const first = encodeRosterCommand(open).subarray(0, -2);
    expect(decodeRosterCommand(first)).toEqual(open);
    const section = rosterLane.encode(after([ann, open])).slice(0, -5);
    section[0] = 1;
    expect(rosterLane.decode(section)).toMatchObject({ seats: [{ peer: ann }, undefined], rules: undefined, stood: [] });
    expect(decodeRosterCommand(encodeRosterCommand({ type: "seat", peer: bob, seat: 1, name: "Bob" }))).toEqual({ type: "seat", peer: bob, seat: 1, name: "Bob" });
  });

  test("[SE5] nobody without a seat can seat itself or another, kick, or make itself a spare", () => {
    const roster = after([ann, open]);
    for (const command of [
      { type: "seat", peer: bob, seat: 1, name: "Bob" },
      { type: "kick", peer: ann, reason: "" },
      { type: "vacate", peer: ann },
      { type: "spectate", peer: bob, name: "Bob", spare: true },
      { type: "spectate", peer: ann, name: "Ann", spare: false },
    ] satisfies RosterCommand[]) expect(apply(roster, command, bob)).toBe(roster);
    expect(apply(roster, { type: "kick", peer: ann, reason: "" }, ann)).toBe(roster);
  });

  test("[SE5] a spare may manage, a plain spectator may not", () => {
    const roster = after([ann, open], [ann, { type: "spectate", peer: bob, name: "Bob", spare: true }], [ann, { type: "spectate", peer: cat, name: "Cat", spare: false }]);
    expect([ann, bob, cat].map((peer) => mayManage(roster, peer))).toEqual([true, true, false]);
  });

  test("[SE4] a taken seat stays taken and a seated peer takes no second one", () => {
    const roster = after([ann, { ...open, seats: 3 }], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }]);
    expect(apply(roster, { type: "seat", peer: cat, seat: 1, name: "Cat" }, ann)).toBe(roster);
    expect(apply(roster, { type: "seat", peer: bob, seat: 2, name: "Bob" }, ann)).toBe(roster);
    expect(apply(roster, { type: "seat", peer: cat, seat: 7, name: "Cat" }, ann)).toBe(roster);
  });

  test("[SE7] a kicked peer loses its seat and can not be seated or admitted again", () => {
    const roster = after([ann, open], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }], [ann, { type: "kick", peer: bob, reason: "rude" }]);
    expect(seatOf(roster, bob)).toBeUndefined();
    expect(apply(roster, { type: "seat", peer: bob, seat: 1, name: "Bob" }, ann)).toBe(roster);
    expect(decideAdmission(roster, { peer: bob, wants: "seat" })).toEqual({ decision: "refuse", code: "kicked", reason: "rude" });
    expect(decideAdmission(roster, { peer: bob, wants: "watch" })).toMatchObject({ decision: "refuse", code: "kicked" });
  });

  test("a name changes for oneself only, in its seat", () => {
    const roster = after([ann, open], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }], [bob, { type: "rename", name: "Bobby" }]);
    expect(roster.seats.map((taken) => taken?.name)).toEqual(["Ann", "Bobby"]);
    expect(apply(roster, { type: "rename", name: "x" }, dan)).toBe(roster);
  });

  test("[SE42] who gives up a seat to watch leaves it free, and may go on managing", () => {
    const roster = after([ann, open], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }], [bob, { type: "spectate", peer: bob, name: "Bob", spare: false }]);
    expect(roster.seats[1]).toBeUndefined();
    expect(roster.watchers).toEqual([{ peer: bob, name: "Bob", spare: true }]);
  });

  test("[SE56] whoever gave up a seat, or the wish for one, is not seated by what was asked before that, and is by what is asked later", () => {
    const seat: RosterCommand & { type: "seat" } = { type: "seat", peer: bob, seat: 1, name: "Bob", stoodUpAt: 0 };
    const sat: readonly (readonly [PeerId, RosterCommand])[] = [[ann, open], [ann, seat]];
    for (const [proposer, word] of [[bob, { type: "spectate", peer: bob, name: "Bob", spare: false }], [ann, { type: "vacate", peer: bob }], [ann, { type: "spectate", peer: bob, name: "Bob", spare: false }], [cat, { type: "reseat", from: bob, to: cat, name: "Cat" }]] satisfies [PeerId, RosterCommand][]) {
      const stood = after(...sat, [word.type === "reseat" ? ann : proposer, word]);
      expect(stood.stood).toEqual([{ peer: bob, index: 3 }]);
      const free = word.type === "reseat" ? apply(stood, { type: "vacate", peer: cat }, ann) : stood;
      expect([seatOf(apply(free, seat, ann), bob), seatOf(apply(free, { ...seat, stoodUpAt: 3 }, ann), bob), seatOf(apply(free, { ...seat, stoodUpAt: undefined }, ann), bob)]).toEqual([undefined, 1, 1]);
    }
    const never = after([ann, open], [bob, { type: "spectate", peer: bob, name: "Bob", spare: false }]);
    expect(seatOf(apply(never, seat, ann), bob)).toBeUndefined();
    // Nobody takes back the wish of another without the right to manage, and a spare is named without taking anything back.
    expect(after([ann, open], [cat, { type: "spectate", peer: bob, name: "Bob", spare: false }], [ann, { type: "spectate", peer: bob, name: "Bob", spare: true }]).stood).toEqual([]);
  });

  test("[SE56] of those who gave up a seat the last ones are remembered, up to a limit", () => {
    const many = Array.from({ length: STOOD_MAX + 1 }, (_, at) => peerId(`p${at}`));
    const roster = after([ann, open], ...many.flatMap((peer): (readonly [PeerId, RosterCommand])[] => [[ann, { type: "seat", peer, seat: 1, name: "x" }], [ann, { type: "vacate", peer }]]));
    expect([roster.stood.length, roster.stood[0]?.peer, roster.stood.at(-1)?.peer]).toEqual([STOOD_MAX, many[1], many.at(-1)]);
  });
});

describe("another game", () => {
  const three: readonly (readonly [PeerId, RosterCommand])[] = [[ann, { ...open, seats: 3 }], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }], [ann, { type: "seat", peer: cat, seat: 2, name: "Cat" }]];
  const asks = (peer: PeerId, wants = true, game = 1): readonly [PeerId, RosterCommand] => [peer, { type: "rematch", wants, game }];
  const shown = (roster: Roster): unknown => [roster.game, roster.asked];

  test("[SE58] begins when the last one who sits asks, whatever the order and however often somebody asks", () => {
    expect(shown(after(...three, asks(bob), asks(bob), asks(ann)))).toEqual([1, [bob, ann]]);
    expect(shown(after(...three, asks(bob), asks(ann), asks(cat)))).toEqual([2, []]);
    expect(shown(after(...three, asks(bob), asks(ann), asks(cat), asks(bob, true, 2)))).toEqual([2, [bob]]);
    expect(shown(after([ann, open], asks(ann)))).toEqual([2, []]);
  });

  test("[SE58] is asked for in the game that is played: a word said twice, or late, asks for none after it, and takes nothing back in it", () => {
    const begun = after(...three, asks(bob), asks(ann), asks(cat));
    expect(apply(begun, { type: "rematch", wants: true, game: 1 }, cat)).toBe(begun);
    const asked = apply(begun, { type: "rematch", wants: true, game: 2 }, bob);
    expect(apply(asked, { type: "rematch", wants: false, game: 1 }, bob)).toBe(asked);
    expect(apply(asked, { type: "rematch", wants: true, game: 3 }, ann)).toBe(asked);
  });

  test("[SE58] is not begun by who does not sit, by a wish taken back, or by somebody going; asked again, the seats that are left decide", () => {
    const roster = after(...three);
    expect(apply(roster, { type: "rematch", wants: true, game: 1 }, dan)).toBe(roster);
    expect(apply(roster, { type: "rematch", wants: false, game: 1 }, bob)).toBe(roster);
    expect(shown(after(...three, asks(bob), asks(ann), asks(bob, false), asks(cat)))).toEqual([1, [ann, cat]]);
    const left = after(...three, asks(bob), asks(ann), [cat, { type: "vacate", peer: cat }]);
    expect(shown(left)).toEqual([1, [bob, ann]]);
    expect(shown(apply(left, { type: "rematch", wants: true, game: 1 }, bob))).toEqual([2, []]);
    expect(shown(after(...three, asks(bob), asks(ann), [ann, { type: "kick", peer: bob, reason: "" }]))).toEqual([1, [ann]]);
    // Whoever takes the seat has not asked.
    expect(shown(after(...three, asks(bob), asks(ann), [ann, { type: "reseat", from: bob, to: dan, name: "Dan" }], asks(cat)))).toEqual([1, [ann, cat]]);
  });
});

describe("admission", () => {
  test("a full roster refuses newcomers and admits its own", () => {
    const roster = after([ann, open], [ann, { type: "seat", peer: bob, seat: 1, name: "Bob" }]);
    expect(decideAdmission(roster, { peer: cat, wants: "seat" })).toMatchObject({ decision: "refuse", code: "full" });
    expect(decideAdmission(roster, { peer: bob, wants: "seat" })).toEqual({ decision: "admit" });
    expect(decideAdmission(roster, { peer: cat, wants: "watch" })).toEqual({ decision: "admit" });
  });

  test("a seat promised to somebody else makes the next one wait", () => {
    expect(decideAdmission(after([ann, open]), { peer: cat, wants: "seat" }, 1)).toEqual({ decision: "wait" });
  });
});

const names = fc.constantFrom("Ann", "Bob", "  Spacy ", "né\u0000e", `${"x".repeat(39)} y`);
const peers = fc.constantFrom(ann, bob, cat, dan);
const commands: fc.Arbitrary<RosterCommand> = fc.oneof(
  fc.record({ type: fc.constant("open" as const), seats: fc.integer({ min: 1, max: 4 }), name: names, spectators: fc.constantFrom("open" as const, "closed" as const), votersMax: fc.integer({ min: 1, max: 5 }), seat: fc.integer({ min: 0, max: 4 }), rules: fc.constantFrom(undefined, "chess@1") }),
  fc.record({ type: fc.constant("seat" as const), peer: peers, seat: fc.integer({ min: 0, max: 5 }), name: names, stoodUpAt: fc.constantFrom(undefined, 0, 3, 20) }),
  fc.record({ type: fc.constant("vacate" as const), peer: peers }),
  fc.record({ type: fc.constant("kick" as const), peer: peers, reason: names }),
  fc.record({ type: fc.constant("spectate" as const), peer: peers, name: names, spare: fc.boolean() }),
  fc.record({ type: fc.constant("rename" as const), name: names }),
  fc.record({ type: fc.constant("rematch" as const), wants: fc.boolean(), game: fc.integer({ min: 1, max: 3 }) }),
);

describe("any sequence of commands", () => {
  test("[SE4] leaves every seat with one owner and every peer with one seat, and never a kicked one", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(peers, commands), { maxLength: 40 }), (steps) => {
        const roster = after(...steps);
        const seated = roster.seats.flatMap((taken) => (taken === undefined ? [] : [taken.peer]));
        expect(new Set(seated).size).toBe(seated.length);
        for (const { peer } of roster.kicked) expect(seated).not.toContain(peer);
        for (const { peer } of roster.watchers) expect(seated).not.toContain(peer);
        for (const peer of roster.asked) expect(seated).toContain(peer);
      }),
    );
  });

  test("[SE6] gives a roster that its snapshot section brings back unchanged", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(peers, commands), { maxLength: 40 }), (steps) => {
        const roster = steps.reduce((before, [proposer, command], at) => rosterLane.apply(before, committed(at + 1, proposer, encodeRosterCommand(command))), EMPTY_ROSTER);
        expect(rosterLane.decode(rosterLane.encode(roster))).toEqual(roster);
      }),
    );
  });

  test("[SE6] arbitrary bytes in the log change nothing, and as a section are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        let command: RosterCommand | undefined;
        try {
          command = decodeRosterCommand(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
        if (command === undefined) expect(rosterLane.apply(EMPTY_ROSTER, committed(1, ann, bytes))).toBe(EMPTY_ROSTER);
      }),
    );
    expect(() => rosterLane.decode(Uint8Array.of(9, 9, 9))).toThrow(MalformedError);
  });
});
