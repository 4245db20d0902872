// One tick: patience of a follower, heartbeats and quorum checks of a leader, and a disk that does not answer.
import type { Core } from "./core.ts";
import { preCampaign } from "./election.ts";
import { majorityVote } from "./quorum.ts";
import { expireAskedReads } from "./read-index.ts";
import { mayShrinkAlone } from "./replication.ts";
import { becomeFollower, failAskedReads } from "./roles.ts";
import type { PeerId } from "../base/index.ts";

/** Advances time by one tick. Allocates nothing while idle. */
export function tick(core: Core): void {
  if (core.writeUnderWay !== undefined) core.writeUnderWay.ticks += 1;
  if (core.parted) return;
  if (core.askedReads.size > 0) expireAskedReads(core);
  core.electionElapsed += 1;
  if (core.role === "leader") leaderTick(core);
  else followerTick(core);
}

/** The disk has not answered for the longest election timeout: such a node can not lead and must not campaign (L6). */
function isDiskStalled(core: Core): boolean {
  return core.writeUnderWay !== undefined && core.writeUnderWay.ticks >= core.ticks.electionMax;
}

function followerTick(core: Core): void {
  if (core.electionElapsed < core.electionTimeout) return;
  // Voters go first: who is none stands only where they were given the time and did not manage.
  const mayStand = core.promotable || (core.mayBeNeeded && core.electionElapsed >= 2 * core.electionTimeout);
  if (mayStand && !isDiskStalled(core)) return preCampaign(core);
  if (core.leader === undefined) return;
  core.leader = undefined;
  failAskedReads(core);
}

function leaderTick(core: Core): void {
  core.heartbeatElapsed += 1;
  if (core.heartbeatElapsed >= core.ticks.heartbeat) {
    core.heartbeatElapsed = 0;
    core.heartbeatDue = core.peers.length > 0;
    for (const peer of core.peers) peer.noteBeat(core.log.last);
  }
  if (isDiskStalled(core) && !core.isSoleVoter) return becomeFollower(core, core.term, undefined);
  if (core.transfer !== undefined) {
    core.transfer.ticks += 1;
    if (core.transfer.ticks >= core.ticks.electionMin) core.transfer = undefined;
  }
  if (core.electionElapsed < core.ticks.electionMin) return;
  core.electionElapsed = 0;
  // A leader that is part of every quorum can not be replaced behind its back, so silence proves nothing; and only while it leads can it
  // take out the voter that does not come back. Nothing commits in the meantime.
  if (!heardQuorum(core) && !mayShrinkAlone(core)) becomeFollower(core, core.term, undefined);
  for (const peer of core.peers) peer.active = false;
}

/** CheckQuorum (thesis §6.2): a leader that a majority has not answered lately is none. */
function heardQuorum(core: Core): boolean {
  return heardMajority(core, core.membership.voters) && heardMajority(core, core.membership.votersOutgoing);
}

function heardMajority(core: Core, voters: readonly PeerId[]): boolean {
  let heard = 0;
  for (const id of voters) if (id === core.id || core.progress.get(id)?.active === true) heard += 1;
  return majorityVote(voters.length, heard, voters.length - heard) === "won";
}
