// Faults planted into the session by wrappers around its parts: each must be noticed, or the simulation proves nothing.
import { beforeEach, describe, expect, test, vi } from "vitest";
import { peerId, type PeerId } from "../../base/index.ts";
import type * as Management from "../../session/management.ts";
import type * as RosterPart from "../../session/roster.ts";
import type * as Lobby from "../../session/lobby.ts";
import type * as ProbePart from "../../session/probe.ts";
import type * as WayBackPart from "../../session/way-back.ts";
import type { ManagementView, Person } from "../../session/management.ts";
import type { Roster } from "../../session/roster.ts";
import { simulateGathering } from "./simulate-sessions.ts";

/** Which fault is planted now. */
const planted = vi.hoisted(() => ({ fault: "" }));

const stranger = peerId("stranger");

/** The view with every person as `change` says. */
function withPeople(view: ManagementView, change: (person: Person, peer: PeerId) => Person): ManagementView {
  return { ...view, people: new Map([...view.people].map(([peer, person]) => [peer, change(person, peer)])) };
}

vi.mock("../../session/management.ts", async (original) => {
  const real = await original<typeof Management>();
  const decideManagement = (view: ManagementView): ReturnType<typeof real.decideManagement> => {
    switch (planted.fault) {
      case "evict on a blip":
        return real.decideManagement(withPeople(view, (person) => (person.standing === "away" ? { ...person, standing: "gone" } : person)));
      case "a later leader forgets joiners":
        return real.decideManagement(view.self.startsWith("m") ? view : withPeople(view, (person, peer) => (view.membership.learners.includes(peer) || view.membership.voters.includes(peer) ? person : { ...person, admitted: false })));
      case "nobody is evicted":
        return real.decideManagement(withPeople(view, (person) => (person.standing === "gone" ? { ...person, standing: "away" } : person)));
      case "who never spoke is admitted":
        return real.decideManagement({ ...view, people: new Map([...view.people, [stranger, { declares: "spectate", name: "", inGroup: true, elsewhere: false, synced: false, standing: "here", leaving: undefined, hidden: false, asksSeat: false, was: undefined, admitted: true }]]) });
      default:
        return real.decideManagement(view);
    }
  };
  return { ...real, decideManagement };
});

vi.mock("../../session/roster.ts", async (original) => {
  const real = await original<typeof RosterPart>();
  const apply: typeof real.rosterLane.apply = (roster, committed) => {
    const next = real.rosterLane.apply(roster, committed);
    if (planted.fault !== "a seat is given twice" || next === roster) return next;
    const command = real.decodeRosterCommand(committed.payload);
    const seats = next.seats.map((taken) => taken ?? (command.type === "seat" ? { peer: command.peer, name: command.name } : undefined));
    return { ...next, seats } satisfies Roster;
  };
  const rosterLane = { ...real.rosterLane, apply };
  return { ...real, rosterLane, foldRoster: (roster: Roster, event: Parameters<typeof real.foldRoster>[1], lane = rosterLane) => real.foldRoster(roster, event, lane) };
});

vi.mock("../../session/lobby.ts", async (original) => {
  const real = await original<typeof Lobby>();
  const isPlanted = (): boolean => planted.fault === "two hosts go on";
  return {
    ...real,
    decideHost: (view: Parameters<typeof real.decideHost>[0]) => (isPlanted() ? { decision: "host" } : real.decideHost(view)),
    betterGroup: (...view: Parameters<typeof real.betterGroup>) => (isPlanted() ? undefined : real.betterGroup(...view)),
  };
});

vi.mock("../../session/probe.ts", async (original) => {
  const real = await original<typeof ProbePart>();
  class Probe extends real.RoundTripProbe {
    override stop(): void {
      if (planted.fault !== "a timer is left") super.stop();
    }
  }
  return { ...real, RoundTripProbe: Probe };
});

vi.mock("../../session/way-back.ts", async (original) => {
  const real = await original<typeof WayBackPart>();
  class Forgetful extends real.WayBack {
    override remember(roster: Roster): void {
      if (planted.fault !== "the way back is not stored") super.remember(roster);
    }
  }
  return { ...real, WayBack: Forgetful };
});

/** The rule that the first failing seed of these broke, if any. */
async function noticed(fault: string, seeds = 40): Promise<string | undefined> {
  planted.fault = fault;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violation } = await simulateGathering(seed);
    if (violation !== undefined) return violation.rule;
  }
  return undefined;
}

beforeEach(() => {
  planted.fault = "";
});

describe("a broken session is found out", () => {
  test("the wrappers alone break nothing", async () => {
    expect(await noticed("none", 5)).toBeUndefined();
  });

  test("when a seat is given twice", async () => {
    expect(await noticed("a seat is given twice")).toBe("one-owner");
  });

  test("when a blip puts somebody out", async () => {
    expect(await noticed("evict on a blip")).toBe("put-out");
  });

  test("when a peer that never said what it wants is admitted", async () => {
    expect(await noticed("who never spoke is admitted")).toBe("undeclared");
  });

  test("when two hosts both go on", async () => {
    expect(await noticed("two hosts go on")).toBe("one-host");
  });

  test("when a leader after the first forgets who wants to come in", async () => {
    expect(await noticed("a later leader forgets joiners")).toMatch(/locked-out|agreement/);
  });

  test("when who is gone stays a member", async () => {
    expect(await noticed("nobody is evicted")).toMatch(/agreement|locked-out/);
  });

  test("when a session leaves a timer behind", async () => {
    expect(await noticed("a timer is left")).toBe("leak");
  });

  test("when who comes back does not find its match", async () => {
    expect(await noticed("the way back is not stored")).toBe("way-back");
  });
}, 120_000);
