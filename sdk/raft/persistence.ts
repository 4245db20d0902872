// What must be written and when it counts: one write under way, everything it may vouch for fixed when it is handed out.
import { assert, type LogIndex } from "../base/index.ts";
import type { Core, WriteUnderWay } from "./core.ts";
import { onHardDurable } from "./election.ts";
import { maybeCommit } from "./replication.ts";
import type { Snapshot } from "./types.ts";
import type { Write } from "./work.ts";

/** Entries kept in memory behind a new snapshot for members that are only a little behind, bytes; further back they get the snapshot. */
const TRAILING_BYTES_MAX = 1024 * 1024;

/** True when something is not durable yet and no write is under way. */
export function writeReady(core: Core): boolean {
  if (core.writeUnderWay !== undefined) return false;
  const { log } = core;
  return !core.hardDurable || log.last > log.stable || log.stored > log.stable || core.pendingInstall !== undefined || core.ownSnapshot !== undefined;
}

/** Everything not yet durable as one atomic write: term, vote, commit hint, truncation, entries, snapshot. */
export function takeWrite(core: Core): Write | undefined {
  if (!writeReady(core)) return undefined;
  const { log, pendingInstall: install } = core;
  const own = install === undefined ? core.ownSnapshot : undefined;
  const entries = log.slice(log.stable + 1, log.last);
  const cut = install !== undefined ? install.index : log.stored > log.stable ? log.stable : undefined;
  const hardChanged = !core.hardDurable || core.commit !== core.durableCommit;
  const write: Write = {
    id: core.nextWriteId,
    hardState: hardChanged ? { term: core.term, vote: core.vote, commit: core.commit } : undefined,
    truncateAfter: cut,
    entries,
    snapshot: install ?? own,
  };
  core.nextWriteId += 1;
  core.durableCommit = core.commit;
  core.writeUnderWay = { id: write.id, entries: entries.length, term: core.term, vote: core.vote, stored: log.last, agrees: log.last, install, own, ticks: 0 };
  core.ownSnapshot = undefined;
  if (core.traceHook !== undefined) traceOwnAck(core, "Send", write.entries.length);
  return write;
}

/** A write is durable: what it holds may now be promised, counted and handed up. */
export function writeDone(core: Core, id: number): void {
  const write = core.writeUnderWay;
  assert(write !== undefined && write.id === id, "only the write under way can be done");
  core.writeUnderWay = undefined;
  core.durableTerm = write.term;
  core.durableVote = write.vote;
  settleLog(core, write);
  if (core.traceHook !== undefined && write.term === core.term) traceOwnAck(core, "Receive", write.entries);
  if (write.own !== undefined) adoptOwnSnapshot(core, write.own);
  if (core.role === "leader") {
    core.flushDue = true;
    maybeCommit(core);
  } else if (core.hardDurable) {
    onHardDurable(core);
  }
}

/** A leader's own acknowledgement is traced as a message to itself, as the specification has it. */
function traceOwnAck(core: Core, way: "Send" | "Receive", entries: number): void {
  if (core.role !== "leader" || entries === 0) return;
  const index = way === "Send" ? core.log.last : core.log.stable;
  core.trace(`${way}AppendEntriesResponse`, { from: core.id, to: core.id, message: { type: "append-reply", term: core.term, ok: true, index, hintIndex: 0, hintTerm: 0 } });
}

function settleLog(core: Core, write: WriteUnderWay): void {
  if (write.install !== undefined && write.install === core.pendingInstall) {
    core.pendingInstall = undefined;
    core.snapshot = write.install;
    core.snapshotDigest = undefined;
    core.readyInstall = write.install;
    core.snapshotsInstalled += 1;
  }
  if (write.agrees < 0) return; // The log was replaced meanwhile: this write says nothing about the new one.
  core.log.stored = write.stored;
  core.log.stable = Math.max(core.log.stable, Math.min(write.agrees, core.log.last));
}

/** The own snapshot is durable: the prefix may go, except what a member still needs and is near enough to get. */
function adoptOwnSnapshot(core: Core, snapshot: Snapshot): void {
  if (snapshot.index <= (core.snapshot?.index ?? 0) || core.pendingInstall !== undefined) return;
  core.snapshot = snapshot;
  core.snapshotDigest = undefined;
  const keepAfter = neededAfter(core, snapshot.index);
  if (keepAfter > core.log.snapshotIndex) core.log.compactTo(keepAfter);
}

function neededAfter(core: Core, index: LogIndex): LogIndex {
  let keepAfter = index;
  if (core.role !== "leader") return keepAfter;
  for (const peer of core.peers) {
    if (!peer.active) continue;
    const has = peer.state === "snapshot" ? (peer.transfer?.snapshot.index ?? index) : peer.match;
    if (has >= core.log.snapshotIndex) keepAfter = Math.min(keepAfter, has);
  }
  return core.log.sizeBetween(keepAfter, index) <= TRAILING_BYTES_MAX ? keepAfter : index;
}
