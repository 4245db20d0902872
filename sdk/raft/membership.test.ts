// The algebra of memberships, exhaustively over small groups.
import { describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import {
  decodeMembership, EMPTY_MEMBERSHIP, encodeMembership, enterJoint, everyQuorumHas, isJoint, isMember, isVoter, leaveJoint, membershipFault, membershipFor, membersOf, MEMBERS_MAX, sameMembership,
} from "./membership.ts";
import type { Membership } from "./types.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId, PeerId];
const ALL = [A, B, C, D];

/** Every way to make each of four peers a voter, a learner or nobody. */
function everySettled(): Membership[] {
  const found: Membership[] = [];
  for (let code = 0; code < 3 ** ALL.length; code += 1) {
    const roles = ALL.map((_, i) => Math.floor(code / 3 ** i) % 3);
    const membership = membershipFor({ voters: ALL.filter((_, i) => roles[i] === 1), learners: ALL.filter((_, i) => roles[i] === 2) });
    if (membership !== undefined) found.push(membership);
  }
  return found;
}

function subsets(of: readonly PeerId[]): PeerId[][] {
  return Array.from({ length: 2 ** of.length }, (_, mask) => of.filter((_peer, i) => (mask & (1 << i)) !== 0));
}

/** True when the peers in `who` can decide something under `membership`. */
function decides(membership: Membership, who: readonly PeerId[]): boolean {
  const most = (voters: readonly PeerId[]): boolean => voters.length === 0 || voters.filter((id) => who.includes(id)).length * 2 > voters.length;
  return most(membership.voters) && most(membership.votersOutgoing);
}

describe("joint memberships", () => {
  test("[RF30] every quorum of a joint membership meets every quorum of what it comes from and of what it goes to", () => {
    let pairs = 0;
    for (const from of everySettled()) {
      for (const to of everySettled()) {
        const joint = enterJoint(from, to);
        expect(membershipFault(joint)).toBeUndefined();
        for (const one of subsets(ALL).filter((who) => decides(joint, who))) {
          for (const settled of [from, to]) {
            for (const two of subsets(ALL).filter((who) => decides(settled, who))) {
              if (!one.some((id) => two.includes(id))) expect.unreachable(`${JSON.stringify(joint)}: ${one.join()} and ${two.join()} do not meet`);
              pairs += 1;
            }
          }
        }
      }
    }
    expect(pairs).toBeGreaterThan(100_000);
  });

  test("[RF31] leaving a joint membership gives exactly the target", () => {
    for (const from of everySettled()) {
      for (const to of everySettled()) expect(sameMembership(leaveJoint(enterJoint(from, to)), to)).toBe(true);
    }
  });

  test("[RF31] a demoted voter keeps its vote until the joint membership is left", () => {
    const joint = enterJoint(membershipFor({ voters: [A, B], learners: [] })!, membershipFor({ voters: [A], learners: [B] })!);
    expect(joint).toEqual({ voters: [A], votersOutgoing: [A, B], learners: [], learnersNext: [B] });
    expect(isVoter(joint, B)).toBe(true);
    expect(isJoint(joint)).toBe(true);
    expect(leaveJoint(joint).learners).toEqual([B]);
  });
});

describe("memberships", () => {
  test("[RF32] no voters, doubled ids, voters who are learners and unsorted lists are no membership", () => {
    expect(membershipFor({ voters: [], learners: [A] })).toBeUndefined();
    expect(membershipFor({ voters: [A, A], learners: [] })).toBeUndefined();
    expect(membershipFor({ voters: [A], learners: [A] })).toBeUndefined();
    expect(membershipFor({ voters: ["" as PeerId], learners: [] })).toBeUndefined();
    expect(membershipFault({ ...EMPTY_MEMBERSHIP, voters: [B, A] })).toContain("sorted");
    expect(membershipFault({ ...EMPTY_MEMBERSHIP, voters: [A], learnersNext: [B] })).toContain("outgoing");
    expect(membershipFault(EMPTY_MEMBERSHIP)).toContain("voters");
    expect(membershipFor({ voters: Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => peerId(`p${i}`)), learners: [] })).toBeUndefined();
  });

  test("a target is sorted by code unit, not by locale", () => {
    const upper = peerId("Z");
    const umlaut = peerId("ä");
    expect(membershipFor({ voters: [umlaut, A, upper], learners: [] })?.voters).toEqual([upper, A, umlaut]);
  });

  test("members are everybody once, sorted", () => {
    const joint: Membership = { voters: [C], votersOutgoing: [A, B], learners: [D], learnersNext: [B] };
    expect(membersOf(joint)).toEqual([A, B, C, D]);
    expect(ALL.every((id) => isMember(joint, id))).toBe(true);
  });

  test("[RF32] bytes and back, and nothing but what could be in force is read", () => {
    for (const membership of everySettled()) expect(decodeMembership(encodeMembership(membership))).toEqual(membership);
    expect(() => decodeMembership(encodeMembership(EMPTY_MEMBERSHIP))).toThrow(/voters/);
    expect(() => decodeMembership(encodeMembership({ ...EMPTY_MEMBERSHIP, voters: [B, A] }))).toThrow(/sorted/);
    expect(() => decodeMembership(new Uint8Array([1, 1, 7, 0, 0, 0]))).toThrow(/peer id/);
  });

  test("[RF40] a node is in every quorum exactly when at most one other voter is in play", () => {
    const pair = membershipFor({ voters: [A, B], learners: [C] })!;
    const alone = membershipFor({ voters: [A], learners: [] })!;
    expect(everyQuorumHas(A, [pair])).toBe(true);
    expect(everyQuorumHas(A, [alone, enterJoint(alone, pair), pair])).toBe(true);
    expect(everyQuorumHas(A, [membershipFor({ voters: [A, B, C], learners: [] })!])).toBe(false);
    expect(everyQuorumHas(A, [pair, membershipFor({ voters: [A, C], learners: [] })!])).toBe(false);
    expect(everyQuorumHas(C, [pair])).toBe(false);
    for (const membership of everySettled()) {
      if (!everyQuorumHas(A, [membership])) continue;
      expect(subsets(ALL).filter((who) => decides(membership, who)).every((who) => who.includes(A))).toBe(true);
    }
  });
});
