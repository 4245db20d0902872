// From one membership to the next: which changes need a joint configuration, what it looks like, and how it is left (thesis §4.3).
import { ByteReader, ByteWriter, isPeerId, MalformedError, type PeerId } from "../base/index.ts";
import type { Membership, MembershipTarget } from "./types.ts";
import { witnessesFault } from "./witness.ts";

/** Voters and learners of a group together: bounds every list on the wire. A mesh of tabs ends long before. */
export const MEMBERS_MAX = 256;

/** A peer id in UTF-8: 128 UTF-16 units of at most 3 bytes. */
const PEER_ID_BYTES_MAX = 384;

/** Nobody: what a fresh learner knows. */
export const EMPTY_MEMBERSHIP: Membership = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };

function byCodeUnit(a: PeerId, b: PeerId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sorted by code unit (never by locale), duplicates removed. */
export function sortedPeers(peers: Iterable<PeerId>): PeerId[] {
  return [...new Set(peers)].sort(byCodeUnit);
}

/** True when `peer` votes: in the old voters or the new ones while joint. */
export function isVoter(membership: Membership, peer: PeerId): boolean {
  return membership.voters.includes(peer) || membership.votersOutgoing.includes(peer);
}

/** True when `peer` is a voter or a learner, now or once the joint configuration is left. */
export function isMember(membership: Membership, peer: PeerId): boolean {
  return isVoter(membership, peer) || membership.learners.includes(peer) || membership.learnersNext.includes(peer);
}

/** True while a change of voters is under way, when decisions need both majorities (thesis §4.3). */
export function isJoint(membership: Membership): boolean {
  return membership.votersOutgoing.length > 0;
}

export function isEmpty(membership: Membership): boolean {
  return membership.voters.length === 0;
}

/** Everybody, sorted. */
export function membersOf(membership: Membership): PeerId[] {
  return sortedPeers([...membership.voters, ...membership.votersOutgoing, ...membership.learners, ...membership.learnersNext]);
}

function samePeers(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer, i) => peer === b[i]);
}

/** True when all four lists are equal. Both must be sorted, as every membership in force is. */
export function sameMembership(a: Membership, b: Membership): boolean {
  return samePeers(a.voters, b.voters) && samePeers(a.votersOutgoing, b.votersOutgoing) && samePeers(a.learners, b.learners) && samePeers(a.learnersNext, b.learnersNext);
}

/** Why this can not be a membership, or undefined. The empty membership is none: it is the absence of one. */
export function membershipFault(membership: Membership): string | undefined {
  const { voters, votersOutgoing, learners, learnersNext } = membership;
  for (const list of [voters, votersOutgoing, learners, learnersNext]) {
    for (let i = 0; i < list.length; i += 1) {
      const peer = list[i] ?? "";
      if (!isPeerId(peer)) return "a peer id is malformed";
      const before = list[i - 1];
      if (before !== undefined && before >= peer) return "a list is not sorted or names a peer twice";
    }
  }
  if (voters.length === 0) return "there are no voters";
  if (voters.length + votersOutgoing.length + learners.length + learnersNext.length > 2 * MEMBERS_MAX) return "there are too many members";
  if (learners.some((peer) => voters.includes(peer) || votersOutgoing.includes(peer))) return "a learner is a voter too";
  if (learnersNext.some((peer) => voters.includes(peer) || !votersOutgoing.includes(peer))) return "a demoted voter is not among the outgoing ones";
  return witnessesFault(voters) ?? witnessesFault(votersOutgoing);
}

/** The target as a settled membership, or undefined when it can never be one (no voters, malformed or doubled ids, too many). */
export function membershipFor(target: MembershipTarget): Membership | undefined {
  const membership: Membership = { voters: sortedPeers(target.voters), votersOutgoing: [], learners: sortedPeers(target.learners), learnersNext: [] };
  if (membership.voters.length !== target.voters.length || membership.learners.length !== target.learners.length) return undefined;
  if (membership.voters.length + membership.learners.length > MEMBERS_MAX) return undefined;
  return membershipFault(membership) === undefined ? membership : undefined;
}

/** The joint configuration between two settled ones: decisions need a majority of the old voters and of the new. */
export function enterJoint(from: Membership, to: Membership): Membership {
  const outgoing = from.voters;
  return {
    voters: to.voters,
    votersOutgoing: outgoing,
    learners: to.learners.filter((peer) => !outgoing.includes(peer)),
    // A voter stays one until the joint configuration is left: its vote may be what holds the old majority together.
    learnersNext: to.learners.filter((peer) => outgoing.includes(peer)),
  };
}

/** What a joint configuration becomes when it is left. */
export function leaveJoint(joint: Membership): Membership {
  return { voters: joint.voters, votersOutgoing: [], learners: sortedPeers([...joint.learners, ...joint.learnersNext]), learnersNext: [] };
}

/** True when `self` is in every set of voters named here and at most one other peer is: then every quorum of all of them contains `self`. */
export function everyQuorumHas(self: PeerId, memberships: readonly Membership[]): boolean {
  const voters = new Set<PeerId>();
  for (const { voters: incoming, votersOutgoing: outgoing } of memberships) {
    if (!incoming.includes(self) || (outgoing.length > 0 && !outgoing.includes(self))) return false;
    for (const peer of [...incoming, ...outgoing]) voters.add(peer);
  }
  return voters.size <= 2;
}

function writePeers(writer: ByteWriter, peers: readonly PeerId[]): void {
  writer.list(peers, (peer) => writer.text(peer));
}

function readPeers(reader: ByteReader): PeerId[] {
  return reader.list(() => {
    const text = reader.text(PEER_ID_BYTES_MAX);
    if (!isPeerId(text)) throw new MalformedError("a member's peer id is malformed");
    return text;
  }, MEMBERS_MAX);
}

/** Appends a membership to `writer`, as {@link readMembership} reads it. */
export function writeMembership(writer: ByteWriter, membership: Membership): void {
  writePeers(writer, membership.voters);
  writePeers(writer, membership.votersOutgoing);
  writePeers(writer, membership.learners);
  writePeers(writer, membership.learnersNext);
}

/** Throws `MalformedError` unless it is a membership that could be in force. */
export function readMembership(reader: ByteReader): Membership {
  const membership: Membership = { voters: readPeers(reader), votersOutgoing: readPeers(reader), learners: readPeers(reader), learnersNext: readPeers(reader) };
  const fault = membershipFault(membership);
  if (fault !== undefined) throw new MalformedError(`a membership is malformed: ${fault}`);
  return membership;
}

/** The bytes of a membership as they stand in its log entry. */
export function encodeMembership(membership: Membership): Uint8Array {
  const writer = new ByteWriter();
  writeMembership(writer, membership);
  return writer.finish();
}

/** Throws `MalformedError` for bytes {@link encodeMembership} could not have made. */
export function decodeMembership(bytes: Uint8Array): Membership {
  const reader = new ByteReader(bytes);
  const membership = readMembership(reader);
  reader.end();
  return membership;
}
