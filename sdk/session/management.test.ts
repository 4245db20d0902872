// What the leader should do next, as a decision over values.
import { describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { decideManagement, type ManagementView, type Person } from "./management.ts";
import type { Roster } from "./roster.ts";

const [ann, bob, cat, dan, eve, fay] = ["ann", "bob", "cat", "dan", "eve", "fay"].map(peerId) as [PeerId, PeerId, PeerId, PeerId, PeerId, PeerId];
const joiner: Person = { declares: "join", name: "J", inGroup: true, elsewhere: false, synced: true, standing: "here", leaving: undefined, hidden: false, asksSeat: true, was: undefined, admitted: true };
const spectator: Person = { ...joiner, declares: "spectate", asksSeat: false };
const newcomer: Person = { ...joiner, synced: false };

function roster(seated: readonly (PeerId | undefined)[], more: Partial<Roster> = {}): Roster {
  const seats = seated.map((peer) => (peer === undefined ? undefined : { peer, name: "x" }));
  return { seats, watchers: [], kicked: [], stood: [], spectators: "open", votersMax: 5, game: 1, asked: [], openedAt: 0, index: 1, ...more };
}

function view(voters: readonly PeerId[], learners: readonly PeerId[], people: Partial<Record<string, Person>>, more: Partial<ManagementView> = {}): ManagementView {
  const known = new Map<PeerId, Person>([[ann, { ...joiner, declares: "host" }]]);
  for (const peer of [bob, cat, dan, eve, fay]) {
    const person = people[peer];
    if (person !== undefined) known.set(peer, person);
  }
  return { self: ann, membership: { voters, votersOutgoing: [], learners, learnersNext: [] }, roster: roster([ann, undefined]), people: known, spares: true, ...more };
}

describe("the leader's next step", () => {
  test("[SE11] a joiner becomes a learner, is seated, and then votes", () => {
    expect(decideManagement(view([ann], [], { bob: newcomer }))).toEqual({ type: "change", voters: [ann], learners: [bob] });
    expect(decideManagement(view([ann], [bob], { bob: newcomer }))).toBeUndefined();
    expect(decideManagement(view([ann], [bob], { bob: joiner }))).toEqual({ type: "command", command: { type: "seat", peer: bob, seat: 1, name: "J", stoodUpAt: 0 } });
    expect(decideManagement(view([ann], [bob], { bob: joiner }, { roster: roster([ann, bob]) }))).toEqual({ type: "change", voters: [ann, bob], learners: [] });
    expect(decideManagement(view([ann, bob], [], { bob: joiner }, { roster: roster([ann, bob]) }))).toBeUndefined();
  });

  test("[SE12] who never said what it wants, runs no node of the group or was not admitted is left outside", () => {
    for (const person of [{ ...newcomer, declares: undefined }, { ...newcomer, inGroup: false }, { ...newcomer, admitted: false }, { ...newcomer, standing: "away" as const }]) {
      expect(decideManagement(view([ann], [], { bob: person }))).toBeUndefined();
    }
  });

  test("two joiners do not get the one free seat promised both", () => {
    expect(decideManagement(view([ann], [], { bob: newcomer, cat: newcomer }))).toEqual({ type: "change", voters: [ann], learners: [bob] });
  });

  test("[SE18] several gone voters leave in one change and keep their seats; [SE19] away ones stay", () => {
    const full = roster([ann, bob, cat, dan, eve]);
    const gone: Person = { ...joiner, standing: "gone" };
    const away: Person = { ...joiner, standing: "away" };
    expect(decideManagement(view([ann, bob, cat, dan, eve], [], { bob: gone, cat: gone, dan: joiner, eve: joiner }, { roster: full }))).toEqual({ type: "change", voters: [ann, dan, eve], learners: [] });
    expect(decideManagement(view([ann, bob, cat, dan, eve], [], { bob: away, cat: away, dan: joiner, eve: joiner }, { roster: full }))).toBeUndefined();
  });

  test("[SE20] a returning owner is let in although the roster is full", () => {
    expect(decideManagement(view([ann], [], { bob: newcomer }, { roster: roster([ann, bob]) }))).toEqual({ type: "change", voters: [ann], learners: [bob] });
    expect(decideManagement(view([ann], [], { cat: newcomer }, { roster: roster([ann, bob]) }))).toBeUndefined();
  });

  test("[SE21] a leaver goes at once, and a seat given up is freed once it does not count any more", () => {
    const leaver: Person = { ...joiner, leaving: "vacate" };
    const full = roster([ann, bob]);
    expect(decideManagement(view([ann, bob], [], { bob: leaver }, { roster: full }))).toEqual({ type: "change", voters: [ann], learners: [] });
    expect(decideManagement(view([ann], [], { bob: leaver }, { roster: full }))).toEqual({ type: "command", command: { type: "vacate", peer: bob } });
  });

  test("[SE16] a spectator is kept as a learner through everything", () => {
    const full = roster([ann, bob]);
    expect(decideManagement(view([ann, bob], [cat], { bob: { ...joiner, standing: "gone" }, cat: spectator }, { roster: full, spares: false }))).toEqual({ type: "change", voters: [ann], learners: [cat] });
  });

  test("[SE25] voters are capped and the next player sits as a learner", () => {
    const capped = roster([ann, bob, undefined], { votersMax: 2 });
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: joiner }, { roster: capped }))).toEqual({ type: "command", command: { type: "seat", peer: cat, seat: 2, name: "J", stoodUpAt: 0 } });
  });

  test("[SE26] a spectator is named a spare, votes while voters are even, and gives the vote back", () => {
    const full = roster([ann, bob]);
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: spectator }, { roster: full }))).toMatchObject({ type: "command", command: { type: "spectate", peer: cat, spare: true } });
    const named = roster([ann, bob, undefined], { watchers: [{ peer: cat, name: "J", spare: true }] });
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: spectator }, { roster: named }))).toEqual({ type: "change", voters: [ann, bob, cat], learners: [] });
    expect(decideManagement(view([ann, bob, cat], [], { bob: { ...joiner, leaving: "part" }, cat: spectator }, { roster: named }))).toEqual({ type: "change", voters: [ann, cat], learners: [] });
    expect(decideManagement(view([ann, bob, cat], [dan], { bob: joiner, cat: spectator, dan: joiner }, { roster: { ...named, seats: roster([ann, bob, dan]).seats } }))).toEqual({ type: "change", voters: [ann, bob, dan], learners: [cat] });
  });

  test("[SE55] who says that it never votes is not named a spare, nor asked for its vote where it was one", () => {
    const overlay = { ...spectator, neverVotes: true };
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: overlay }, { roster: roster([ann, bob]) }))).toBeUndefined();
    const named = roster([ann, bob], { watchers: [{ peer: cat, name: "J", spare: true }] });
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: overlay }, { roster: named }))).toBeUndefined();
  });

  test("[SE10] a member that runs a node of another group is no member any more, so that it does not keep this one from giving way", () => {
    expect(decideManagement(view([ann, bob], [cat], { bob: { ...joiner, inGroup: false, elsewhere: true }, cat: { ...spectator, inGroup: false, elsewhere: true } }, { roster: roster([ann, bob]) }))).toEqual({ type: "change", voters: [ann], learners: [] });
  });

  test("[SE42] a leader that may not manage hands leading to a voter that may, and waits where there is none", () => {
    const standing = roster([undefined, bob], { watchers: [{ peer: ann, name: "A", spare: false }] });
    expect(decideManagement(view([ann, bob], [], { bob: joiner }, { roster: standing }))).toEqual({ type: "transfer", to: bob });
    expect(decideManagement(view([ann], [bob], { bob: joiner }, { roster: standing }))).toBeUndefined();
  });

  test("[SE43] a spectator that asks is seated where a seat is free, behind who came to play, and stays a spectator where none is", () => {
    const asking: Person = { ...spectator, asksSeat: true };
    expect(decideManagement(view([ann], [bob], { bob: asking }))).toEqual({ type: "command", command: { type: "seat", peer: bob, seat: 1, name: "J", stoodUpAt: 0 } });
    expect(decideManagement(view([ann], [bob, cat], { bob: asking, cat: joiner }))).toEqual({ type: "command", command: { type: "seat", peer: cat, seat: 1, name: "J", stoodUpAt: 0 } });
    expect(decideManagement(view([ann, bob], [cat], { bob: joiner, cat: asking }, { roster: roster([ann, bob]), spares: false }))).toBeUndefined();
    expect(decideManagement(view([ann], [bob], { bob: asking, cat: newcomer }, { spares: false }))).toEqual({ type: "command", command: { type: "seat", peer: bob, seat: 1, name: "J", stoodUpAt: 0 } });
  });

  test("[SE56] a spectator's wish from before it stood up neither seats it nor keeps a free seat from others; who came to play keeps its place in the queue", () => {
    const stood = roster([ann, undefined], { stood: [{ peer: bob, index: 7 }] });
    const stale: Person = { ...spectator, asksSeat: true };
    expect(decideManagement(view([ann], [bob], { bob: stale }, { roster: stood, spares: false }))).toBeUndefined();
    expect(decideManagement(view([ann], [bob], { bob: stale, cat: newcomer }, { roster: stood, spares: false }))).toEqual({ type: "change", voters: [ann], learners: [bob, cat] });
    expect(decideManagement(view([ann], [bob], { bob: { ...joiner, stoodUpAt: 6 }, cat: newcomer }, { roster: stood }))).toBeUndefined();
    expect(decideManagement(view([ann], [bob], { bob: { ...stale, stoodUpAt: 7 } }, { roster: stood }))).toEqual({ type: "command", command: { type: "seat", peer: bob, seat: 1, name: "J", stoodUpAt: 7 } });
  });

  test("[SE43] a leader that asks for a free seat lets another manager give it", () => {
    const open = roster([undefined, bob], { watchers: [{ peer: ann, name: "A", spare: true }] });
    const people = new Map([[ann, { ...spectator, asksSeat: true }], [bob, joiner]]);
    expect(decideManagement(view([ann, bob], [], {}, { roster: open, people, spares: false }))).toEqual({ type: "transfer", to: bob });
  });

  test("[SE26] one player has two spares where people allow, two have one, three have none, four have one, and five are the cap", () => {
    const players = [ann, bob, cat, dan, eve];
    for (const [count, voters] of [[1, 3], [2, 3], [3, 3], [4, 5], [5, 5]] as const) {
      const seated = players.slice(0, count);
      const spares = [fay, peerId("gus"), peerId("hal")];
      const named = roster([...seated, undefined], { watchers: spares.map((peer) => ({ peer, name: "x", spare: true })) });
      const people = new Map([...seated.map((peer) => [peer, joiner] as const), ...spares.map((peer) => [peer, spectator] as const)]);
      const step = decideManagement(view(seated, spares, {}, { roster: named, people }));
      const wanted = step?.type === "change" ? step.voters.length : seated.length;
      expect([count, wanted]).toEqual([count, voters]);
    }
  });

  test("[SE7] a kicked member is put out of the membership", () => {
    const kicked = roster([ann, undefined], { kicked: [{ peer: bob, reason: "" }] });
    expect(decideManagement(view([ann, bob], [], { bob: joiner }, { roster: kicked }))).toEqual({ type: "change", voters: [ann], learners: [] });
  });

  test("[SE22] one that dies while it is being made the second voter is taken out alone", () => {
    const membership = { voters: [ann, bob], votersOutgoing: [ann], learners: [cat], learnersNext: [] };
    expect(decideManagement(view([], [], { bob: { ...joiner, standing: "gone" }, cat: joiner }, { membership }))).toEqual({ type: "change", voters: [ann], learners: [cat] });
    const three = { ...membership, voters: [ann, bob, dan], votersOutgoing: [ann, bob] };
    expect(decideManagement(view([], [], { bob: { ...joiner, standing: "gone" }, dan: joiner }, { membership: three }))).toBeUndefined();
  });

  test("nothing new begins while a change is under way, or while a quorum is not here to carry it", () => {
    const joint = view([ann, bob], [], { bob: joiner, cat: newcomer }, { membership: { voters: [ann, bob], votersOutgoing: [ann], learners: [], learnersNext: [] } });
    expect(decideManagement(joint)).toBeUndefined();
    expect(decideManagement(view([ann, bob], [], { bob: { ...joiner, standing: "away" }, cat: newcomer }, { roster: roster([ann, bob, undefined]) }))).toBeUndefined();
  });
});
