// One turn's output: what every part of the machine left to be done, gathered in the order the Work record promises.
import type { Core } from "./core.ts";
import { ackReady, flushAck } from "./following.ts";
import type { Addressed } from "./message.ts";
import { takeWrite, writeReady } from "./persistence.ts";
import { releaseReads, startRound } from "./read-index.ts";
import { flushPeers } from "./replication.ts";
import { flushInstalled, installedReady } from "./snapshot-receiving.ts";
import { traceName } from "./trace-names.ts";
import type { Entry } from "./types.ts";
import type { Work, WorkOptions } from "./work.ts";

// Shared, so that a turn with nothing to do allocates one object only.
const NO_ADDRESSED: Work["messages"] = [];
const NO_ENTRIES: Work["committed"] = [];
const NO_READS: Work["reads"] = [];
const NO_REFUSED: Work["refusedForwards"] = [];

/** True when {@link collectWork} may find something; false means it would find nothing. */
export function hasWork(core: Core, options?: WorkOptions): boolean {
  return (
    (core.newsHeld && options?.holdNews !== true) ||
    core.flushDue || core.heartbeatDue || (core.outbox.length > 0 && core.hardDurable) || ackReady(core) || installedReady(core) ||
    writeReady(core) || committedReady(core) || (core.readyInstall !== undefined && core.pendingInstall === undefined) ||
    core.readResults.length > 0 || core.refusedForwards.length > 0
  );
}

function committedReady(core: Core): boolean {
  return core.pendingInstall === undefined && Math.min(core.commit, core.log.stable) > core.applied;
}

/** Gathers everything that must be done now. */
export function collectWork(core: Core, options?: WorkOptions): Work {
  const holdNews = options?.holdNews === true;
  if (core.newsHeld && !holdNews) core.flushDue = true;
  if (core.role === "leader") flushLeader(core, holdNews);
  flushInstalled(core);
  flushAck(core);
  const messages = takeMessages(core);
  const write = takeWrite(core);
  const install = takeInstall(core);
  const committed = takeCommitted(core);
  const reads = core.readResults.length === 0 ? NO_READS : core.readResults;
  const refusedForwards = core.refusedForwards.length === 0 ? NO_REFUSED : core.refusedForwards;
  if (reads.length > 0) core.readResults = [];
  if (refusedForwards.length > 0) core.refusedForwards = [];
  if (core.traceHook !== undefined && (messages.length > 0 || write !== undefined || committed.length > 0)) core.trace("Ready");
  return { messages, write, install, committed, reads, refusedForwards };
}

function flushLeader(core: Core, holdNews: boolean): void {
  if (!core.flushDue && !core.heartbeatDue) return;
  const fresh = startRound(core);
  if (fresh || core.heartbeatDue) sendHeartbeats(core);
  releaseReads(core);
  flushPeers(core, holdNews);
}

/** To everybody when due; for a read round alone only to voters, whose echo counts. */
function sendHeartbeats(core: Core): void {
  for (const peer of core.peers) {
    if (!core.heartbeatDue && !core.membership.voters.includes(peer.id) && !core.membership.votersOutgoing.includes(peer.id)) continue;
    // Only what the member is known to hold: a heartbeat verifies nothing (B13).
    peer.commitSent = Math.min(core.commit, peer.match);
    core.send(peer.id, { type: "heartbeat", term: core.term, commit: peer.commitSent, round: core.readRound });
  }
  core.heartbeatDue = false;
}

function takeMessages(core: Core): readonly Addressed[] {
  if (core.outbox.length === 0 || !core.hardDurable) return NO_ADDRESSED;
  const messages = core.outbox;
  core.outbox = [];
  if (core.traceHook !== undefined) {
    for (const { to, message } of messages) core.trace(`Send${traceName(message)}`, { from: core.id, to, message });
  }
  return messages;
}

function takeInstall(core: Core): Work["install"] {
  const install = core.readyInstall;
  // A newer snapshot is already being written: it will be handed up instead.
  if (install === undefined || core.pendingInstall !== undefined) return undefined;
  core.readyInstall = undefined;
  core.applied = install.index;
  return install;
}

function takeCommitted(core: Core): readonly Entry[] {
  if (!committedReady(core)) return NO_ENTRIES;
  const first = core.applied + 1;
  core.applied = Math.min(core.commit, core.log.stable);
  return core.log.slice(first, core.applied);
}
