// Decisions made from presence alone, and from silence.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { MemoryHub } from "../seam/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Liveness } from "./liveness.ts";
import { betterGroup, decideHost, visibleGroups } from "./lobby.ts";
import type { LeadNotice, PresenceState } from "./presence-state.ts";

const [ann, bob, cat] = ["ann", "bob", "cat"].map(peerId) as [PeerId, PeerId, PeerId];
const hosting: PresenceState = { declares: "host", name: "x", synced: false };
const lead = (members: number, term = 1, openedAt = 0): LeadNotice => ({ term, members, openedAt, admission: "open", spectators: "open", seats: 2, seated: [], refused: [] });
const leads = (groupId: string, members: number, term = 1): PresenceState => ({ ...hosting, groupId, lead: lead(members, term) });
const view = (self: PeerId, states: readonly (readonly [PeerId, PresenceState])[], silent: readonly PeerId[] = []) => ({
  self,
  connected: new Set([self, ...states.map(([peer]) => peer), ...silent]),
  states: new Map(states),
  hasHeard: (peer: PeerId) => !silent.includes(peer),
});

describe("a declaring host", () => {
  test("goes on when it is alone or everybody connected came for something else", () => {
    expect(decideHost(view(ann, []))).toEqual({ decision: "host" });
    expect(decideHost(view(ann, [[bob, { ...hosting, declares: "join" }]]))).toEqual({ decision: "host" });
  });

  test("waits for a connected peer that has not spoken", () => {
    expect(decideHost(view(ann, [], [bob]))).toEqual({ decision: "wait" });
  });

  test("[SE8] yields to whoever has a group, even with a higher id, and names the leader", () => {
    expect(decideHost(view(ann, [[bob, { ...hosting, declares: "join", groupId: "g" }], [cat, leads("g", 2)]]))).toEqual({ decision: "yield", to: cat });
  });

  test("[SE9] yields to a lower id at once and waits for a higher one to yield", () => {
    expect(decideHost(view(bob, [[ann, hosting]]))).toEqual({ decision: "yield", to: ann });
    expect(decideHost(view(ann, [[bob, hosting]]))).toEqual({ decision: "wait" });
  });
});

describe("groups in sight", () => {
  test("the one with more members comes first, then the lower leader; the newest term speaks for a group", () => {
    const states = new Map([[cat, leads("g", 3, 1)], [bob, leads("g", 2, 5)], [ann, leads("h", 2)]] as const);
    expect(visibleGroups(states).map(({ groupId, leader }) => [groupId, leader])).toEqual([["h", ann], ["g", bob]]);
  });

  test("[SE10] one that nobody joined gives way to a better one, never the other way round", () => {
    const own = (leader: PeerId, members: number) => ({ groupId: "own", leader, lead: lead(members) });
    expect(betterGroup(own(bob, 1), new Map([[ann, leads("other", 1)]]))).toMatchObject({ leader: ann });
    expect(betterGroup(own(ann, 1), new Map([[bob, leads("other", 1)]]))).toBeUndefined();
    expect(betterGroup(own(ann, 1), new Map([[bob, leads("other", 2)]]))).toMatchObject({ leader: bob });
    expect(betterGroup({ groupId: "own", leader: ann, lead: lead(1, 1, 8) }, new Map([[bob, { ...hosting, groupId: "g", lead: lead(1, 1, 7) }]]))).toMatchObject({ leader: bob });
    expect(betterGroup(own(bob, 2), new Map([[ann, leads("other", 9)]]))).toBeUndefined();
  });
});

test("[SE10] of two groups whose opening words are not read yet neither gives way, and once they are the same one does for both", () => {
  const notices = (openedAt: number): { readonly before: LeadNotice; readonly after: LeadNotice } => ({ before: { ...lead(1), seats: 0 }, after: lead(1, 1, openedAt) });
  const [older, newer] = [notices(7), notices(8)];
  const yields = (self: PeerId, own: LeadNotice, peer: PeerId, other: LeadNotice): boolean => betterGroup({ groupId: `of ${self}`, leader: self, lead: own }, new Map([[peer, { ...hosting, groupId: `of ${peer}`, lead: other }]])) !== undefined;
  // Each hears of the other a moment late: in no mixture of old and new words do both give way.
  for (const heardByBob of [older.before, older.after]) for (const heardByAnn of [newer.before, newer.after]) {
    const annYields = yields(ann, older.after, bob, heardByAnn) || yields(ann, older.before, bob, heardByAnn);
    const bobYields = yields(bob, newer.after, ann, heardByBob) || yields(bob, newer.before, ann, heardByBob);
    expect([annYields, bobYields]).toEqual([false, heardByBob === older.after]);
  }
  expect(visibleGroups(new Map([[ann, { ...leads("new", 1), lead: newer.before }], [bob, { ...leads("old", 1), lead: older.after }]])).map(({ groupId }) => groupId)).toEqual(["old", "new"]);
});

describe("silence", () => {
  test("[SE19] makes a peer away, then gone; any frame and a jump of one's own clock begin anew", async () => {
    const clock = new VirtualClock();
    const hub = new MemoryHub({ clock, random: seededRandom(1) });
    const [self, other] = [hub.seam(ann), hub.seam(bob)];
    const liveness = new Liveness(self, { clock, awayAfterMs: 3_000, goneAfterMs: 10_000 });
    await clock.advance(10);
    const standings: string[] = [liveness.standingOf(bob)];
    const pass = async (ms: number): Promise<void> => {
      for (let at = 0; at < ms; at += 1_000) {
        await clock.advance(1_000);
        liveness.sweep(1_000);
      }
      standings.push(liveness.standingOf(bob));
    };
    await pass(4_000);
    other.sendTo(ann, utf8("x"));
    await clock.advance(1);
    standings.push(liveness.standingOf(bob));
    await pass(11_000);
    other.sendTo(ann, utf8("x"));
    await clock.advance(60_000);
    liveness.sweep(1_000);
    standings.push(liveness.standingOf(bob));
    expect(standings).toEqual(["here", "away", "here", "gone", "here"]);
    expect(liveness.standingOf(ann)).toBe("here");
    expect(liveness.standingOf(cat)).toBe("gone");
    liveness.stop();
  });
});
