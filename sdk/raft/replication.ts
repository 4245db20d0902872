// The leader's half of log replication: appending, feeding each member at its pace, counting acknowledgements, the commit rule (§5.3, §5.4.2).
import type { LogIndex, PeerId } from "../base/index.ts";
import { APPEND_ENTRIES_MAX } from "./codec.ts";
import type { Core } from "./core.ts";
import { encodeMembership, everyQuorumHas, isJoint, isVoter, leaveJoint, membersOf } from "./membership.ts";
import type { AppendReply, AppendRequest, HeartbeatReply, SnapshotReply } from "./message.ts";
import { Progress } from "./progress.ts";
import { jointIndex } from "./quorum.ts";
import { becomeFollower } from "./roles.ts";
import { confChange } from "./trace-names.ts";
import { flushSnapshot, nudgeSnapshot, offerSnapshot } from "./snapshot-sending.ts";
import { ENTRY_MEMBERSHIP, type Entry, type EntryKind, type Membership } from "./types.ts";
import { withoutContent } from "./witness.ts";

/** Appends one entry of the leader's own term. Its time never goes back along the log. */
export function appendOwn(core: Core, kind: EntryKind, data: Uint8Array): LogIndex {
  const { index } = core.log.append(core.term, kind, Math.max(core.wallMs, core.log.lastTime), data);
  core.entriesAppended += 1;
  core.flushDue = true;
  if (core.traceHook !== undefined && kind !== ENTRY_MEMBERSHIP) core.trace("Replicate", { detail: { index } });
  return index;
}

/** Appends a membership; it is in force from now on (thesis §4.1). */
export function appendMembership(core: Core, membership: Membership): LogIndex {
  const before = core.membership;
  const index = appendOwn(core, ENTRY_MEMBERSHIP, encodeMembership(membership));
  if (core.traceHook !== undefined) core.trace("ChangeConf", { detail: { index, cc: confChange(before, membership) } });
  refreshProgress(core);
  maybeCommit(core);
  return index;
}

/** Makes the list of peers that are fed equal to the membership in force. */
export function refreshProgress(core: Core): void {
  const peers: Progress[] = [];
  for (const id of membersOf(core.membership)) {
    if (id === core.id) continue;
    const known = core.progress.get(id);
    if (known !== undefined) peers.push(known);
    else {
      const fresh = new Progress(id, core.log.last + 1);
      // A grace period: it has had no chance to be heard yet.
      fresh.active = true;
      peers.push(fresh);
    }
  }
  for (const peer of core.peers) if (!peers.includes(peer)) tellCommit(core, peer);
  core.progress.clear();
  for (const peer of peers) core.progress.set(peer.id, peer);
  core.peers = peers;
  if (core.transfer !== undefined && !core.membership.voters.includes(core.transfer.to)) core.transfer = undefined;
}

/** Says how far is committed in a message of its own, where that is news. Round 0 asks for no answer. */
function tellCommit(core: Core, peer: Progress): void {
  const news = Math.min(core.commit, peer.match);
  if (news <= peer.commitSent || peer.state !== "replicate") return;
  peer.commitSent = news;
  core.send(peer.id, { type: "heartbeat", term: core.term, commit: news, round: 0 });
}

/** What a member has, durably: this node's own disk counts like any other, and only as far as it is written. */
function matchOf(core: Core, id: PeerId): LogIndex {
  return id === core.id ? core.log.stable : (core.progress.get(id)?.match ?? 0);
}

function fill(core: Core, ids: readonly PeerId[], into: number[]): number[] {
  into.length = 0;
  for (const id of ids) into.push(matchOf(core, id));
  return into;
}

/** Moves the commit index to the newest entry of the own term that the quorum holds (§5.4.2: never by counting an older one). */
export function maybeCommit(core: Core): void {
  if (core.role !== "leader") return;
  const { voters, votersOutgoing } = core.membership;
  const index = jointIndex(fill(core, voters, core.scratchIncoming), fill(core, votersOutgoing, core.scratchOutgoing));
  if (index <= core.commit || !Number.isFinite(index) || core.log.termAt(index) !== core.term) return;
  // RF46: shrunk to itself alone, nothing counts by that until the shrinking entry itself is durable.
  if (core.isSoleVoter && core.log.membershipIndex > core.commit && index < core.log.membershipIndex) return;
  commitTo(core, index);
  core.flushDue = true;
  afterLeaderCommit(core);
}

/** Raises the commit index, on any role. */
export function commitTo(core: Core, index: LogIndex): void {
  if (index <= core.commit) return;
  core.entriesCommitted += index - core.commit;
  const before = core.commit;
  core.commit = index;
  if (core.traceHook === undefined) return;
  // A follower's commit index follows from what it received: only a leader advances it.
  core.trace(core.role === "leader" ? "Commit" : "LearnCommit");
  for (const placed of core.log.membershipsIn(before, index)) core.trace("ApplyConfChange", { detail: { index: placed.index, cc: { newconf: placed.membership.voters } } });
}

/** What a commit of the own term makes possible: reads, leaving a joint membership, stepping down when this node is no voter any more. */
function afterLeaderCommit(core: Core): void {
  core.ownTermCommitted = true;
  if (core.log.membershipIndex > core.commit) return;
  if (isJoint(core.membership)) {
    // Also the joint membership a new leader inherited: whoever leads leaves it (B3).
    appendMembership(core, leaveJoint(core.membership));
  } else if (!isVoter(core.membership, core.id)) {
    // Tell the others what is committed and who is next, then make room.
    flushPeers(core);
    const next = mostCaughtUpVoter(core);
    if (next !== undefined) core.send(next.id, { type: "timeout-now", term: core.term });
    becomeFollower(core, core.term, undefined);
  }
}

/** The voter that holds most of the log and can lead; ties go to the first by id. */
export function mostCaughtUpVoter(core: Core): Progress | undefined {
  let best: Progress | undefined;
  for (const peer of core.peers) {
    if (!peer.isWitness && core.membership.voters.includes(peer.id) && (best === undefined || peer.match > best.match)) best = peer;
  }
  return best;
}

/**
 * True when the leader may go on alone at once, without a joint membership (RF40…RF46 in SPEC.md): in every membership that could still be
 * in force anywhere, all voters are this node and at most one other, so no quorum exists without this node.
 */
export function mayShrinkAlone(core: Core): boolean {
  const settled = core.log.membershipIndex <= core.commit;
  const inForce = settled ? [core.membership] : [core.log.membershipAt(core.commit), core.membership];
  if (inForce.some((membership) => membership.voters.length === 0)) return false;
  return everyQuorumHas(core.id, inForce) && (core.ownTermCommitted || (settled && core.grantedTerm === core.term));
}

/** Builds whatever the members can take now into the outbox: once per turn, so that everything ready travels together. */
export function flushPeers(core: Core, holdNews = false): void {
  core.flushDue = false;
  core.newsHeld = false;
  // While this node alone decides, only what it holds durably is shown: a membership it could still forget must not be known elsewhere (RF45).
  const limit = core.isSoleVoter ? core.log.stable : core.log.last;
  let shared: AppendRequest | undefined;
  for (const peer of core.peers) shared = flushPeer(core, peer, { limit: peer.isWitness ? Math.min(limit, witnessLimit(core)) : limit, shared, holdNews });
}

/**
 * How far a witness may be fed: no further than this node's disk, because an entry that a witness alone holds is one nobody can lead with; and no
 * further than every other voter that keeps up, because what a witness holds beyond another keeps that one from leading (RF136).
 */
function witnessLimit({ peers, membership: { voters, votersOutgoing }, log }: Core): LogIndex {
  let limit = log.stable;
  for (const { id, isWitness, keepsUp, match } of peers) if (!isWitness && keepsUp && (voters.includes(id) || votersOutgoing.includes(id))) limit = Math.min(limit, match);
  return limit;
}

function flushPeer(core: Core, peer: Progress, turn: { readonly limit: LogIndex; readonly shared: AppendRequest | undefined; readonly holdNews: boolean }): AppendRequest | undefined {
  let shared = turn.shared;
  while (peer.state !== "snapshot" && mayAppend(core, peer, turn.limit)) {
    if (peer.next - 1 < core.log.snapshotIndex) {
      if (!offerSnapshot(core, peer)) return shared;
      break;
    }
    shared = sendAppend(core, peer, { limit: turn.limit, shared });
  }
  if (peer.state === "snapshot") flushSnapshot(core, peer);
  else if (Math.min(core.commit, peer.match) > peer.commitSent && peer.state === "replicate") {
    if (turn.holdNews) core.newsHeld = true;
    else tellCommit(core, peer);
  }
  return shared;
}

function mayAppend(core: Core, peer: Progress, limit: LogIndex): boolean {
  if (peer.state === "probe") return !peer.probeSent;
  if (peer.nudge) return true;
  return peer.next <= limit && hasRoom(core, peer);
}

/** The window has room for another append that begins at the member's next entry (RF81, RF96). */
function hasRoom(core: Core, peer: Progress): boolean {
  const { inflightMax, inflightBytesMax } = core.config;
  if (peer.inflight === 0) return true;
  return peer.inflight < inflightMax && peer.inflightBytes + core.log.sizeBetween(peer.next - 1, peer.next) <= inflightBytesMax;
}

/** The last index of the member's next append; the one before it when the append is to be empty. */
function appendEnd(core: Core, peer: Progress, limit: LogIndex): LogIndex {
  if (peer.next > limit || (peer.state !== "probe" && !hasRoom(core, peer))) return peer.next - 1;
  const { batchBytesMax, inflightBytesMax } = core.config;
  return core.log.batchEnd(peer.next, limit, Math.min(batchBytesMax, inflightBytesMax - peer.inflightBytes), APPEND_ENTRIES_MAX);
}

function sendAppend(core: Core, peer: Progress, turn: { readonly limit: LogIndex; readonly shared: AppendRequest | undefined }): AppendRequest | undefined {
  const prevIndex = peer.next - 1;
  const last = appendEnd(core, peer, turn.limit);
  const { shared } = turn;
  // Members at the same place get the same object, which an encoder may notice. A witness gets one of its own, without content.
  const message: AppendRequest =
    !peer.isWitness && shared !== undefined && shared.prevIndex === prevIndex && shared.entries.length === last - prevIndex && shared.commit === core.commit
      ? shared
      : { type: "append", term: core.term, prevIndex, prevTerm: core.log.termAt(prevIndex), commit: core.commit, entries: entriesFor(core, peer, last) };
  core.send(peer.id, message);
  peer.commitSent = Math.max(peer.commitSent, Math.min(core.commit, last));
  peer.nudge = false;
  if (peer.state === "probe") {
    peer.probeSent = true;
    peer.probeEnd = last;
    peer.probeBytes = core.log.sizeBetween(prevIndex, last);
  } else if (last > prevIndex) {
    peer.next = last + 1;
    peer.addInflight(last, core.log.sizeBetween(prevIndex, last));
  }
  return peer.isWitness ? shared : message;
}

function entriesFor(core: Core, { next, isWitness }: Progress, last: LogIndex): readonly Entry[] {
  const entries = core.log.slice(next, last);
  return isWitness ? withoutContent(entries) : entries;
}

/** An answer to an append. Everything in it is checked against what this leader knows. */
export function onAppendReply(core: Core, peer: Progress, reply: AppendReply): void {
  if (reply.ok && reply.index > core.log.last) return core.drop("ack-beyond-log", peer.id, reply);
  peer.active = true;
  if (!reply.ok) return onRefusal(core, peer, reply);
  if (peer.acknowledge(reply.index)) {
    maybeCommit(core);
    if (core.role !== "leader") return;
  }
  resume(core, peer);
  core.flushDue = true;
  handOverWhenReady(core);
}

/** A member whose match is known streams again; one that was fed a snapshot does as soon as the log reaches down to it, however it got there. */
function resume(core: Core, peer: Progress): void {
  const snapshotIndex = peer.transfer?.snapshot.index ?? 0;
  if (peer.state === "probe" || (peer.state === "snapshot" && (peer.match >= core.log.snapshotIndex || peer.match >= snapshotIndex))) peer.toReplicate();
}

/** A snapshot is durable and installed there: that acknowledges everything up to its index. */
export function onInstalled(core: Core, peer: Progress, reply: SnapshotReply): void {
  onAppendReply(core, peer, { type: "append-reply", term: reply.term, ok: true, index: reply.index, hintIndex: 0, hintTerm: 0 });
}

/** The member's log differs at `index`: go back, a whole term at a time. */
function onRefusal(core: Core, peer: Progress, reply: AppendReply): void {
  if (reply.index <= peer.match || peer.state === "snapshot") return core.drop("stale-refusal", peer.id, reply);
  if (peer.state === "replicate") {
    // Something sent earlier was lost; what is acknowledged still holds.
    peer.toProbe(peer.match + 1);
  } else {
    if (peer.next - 1 !== reply.index) return core.drop("stale-refusal", peer.id, reply);
    const { hintIndex, hintTerm } = reply;
    const hint = hintIndex <= core.log.snapshotIndex ? hintIndex : core.log.lastAtMost(hintIndex, hintTerm);
    peer.toProbe(Math.min(reply.index, hint + 1));
  }
  core.flushDue = true;
}

/** A heartbeat was echoed: the member lives. If nothing moved since the last echo although something should have, ask what was lost. */
export function onHeartbeatReply(core: Core, peer: Progress, reply: HeartbeatReply): void {
  if (reply.round > core.readRound) return core.drop("round-not-asked", peer.id, reply);
  peer.active = true;
  peer.round = Math.max(peer.round, reply.round);
  if (peer.state === "probe") peer.probeSent = false;
  else if (!peer.moved && peer.state === "replicate" && peer.match < core.log.last) peer.nudge = true;
  else if (!peer.moved && peer.state === "snapshot") nudgeSnapshot(peer);
  peer.moved = false;
  core.flushDue = true;
}

/** A transfer under way goes through as soon as the target holds everything (thesis §3.10). */
export function handOverWhenReady(core: Core): void {
  const { transfer } = core;
  if (transfer === undefined || transfer.sent) return;
  if (core.progress.get(transfer.to)?.match !== core.log.last) return;
  transfer.sent = true;
  core.send(transfer.to, { type: "timeout-now", term: core.term });
}
