// The follower's half of snapshots: assembling chunks, checking the digest, and replacing the log by what came (§7, thesis §5.3).
import { bytesEqual, concatBytes, digest64, type PeerId } from "../base/index.ts";
import type { Core } from "./core.ts";
import type { SnapshotChunk } from "./message.ts";
import { commitTo } from "./replication.ts";
import { refreshRole } from "./roles.ts";
import type { Snapshot } from "./types.ts";

function chunkFault(core: Core, chunk: SnapshotChunk): string | undefined {
  if (chunk.index < 1 || chunk.indexTerm < 1 || chunk.indexTerm > chunk.term) return "bad-snapshot";
  if (core.isWitness && chunk.total > 0) return "state-for-a-witness";
  if (chunk.total > core.config.snapshotTotalBytesMax) return "snapshot-too-large";
  if (chunk.offset + chunk.bytes.length > chunk.total) return "bad-snapshot";
  if (chunk.bytes.length === 0 && chunk.offset < chunk.total) return "bad-snapshot";
  return undefined;
}

/** A chunk from the leader of the current term. */
export function onSnapshotChunk(core: Core, from: PeerId, chunk: SnapshotChunk): void {
  const fault = chunkFault(core, chunk);
  if (fault !== undefined) return core.drop(fault, from, chunk);
  if (core.pendingInstall?.index === chunk.index) return; // Complete and being written: the answer follows the write.
  if (chunk.index <= core.commit || core.log.matches(chunk.index, chunk.indexTerm)) return alreadyHeld(core, chunk);
  const incoming = assembly(core, chunk);
  // A hole (chunks were lost) or a repetition: the answer says where to go on.
  if (chunk.offset === incoming.held && chunk.bytes.length > 0) {
    incoming.parts.push(chunk.bytes);
    incoming.held += chunk.bytes.length;
  }
  if (incoming.held < chunk.total) {
    core.send(from, { type: "snapshot-reply", term: core.term, index: chunk.index, offset: incoming.held, installed: false });
    return;
  }
  core.incoming = undefined;
  const data = concatBytes(...incoming.parts);
  if (!bytesEqual(digest64(data), chunk.digest)) return core.drop("snapshot-digest", from, chunk);
  restore(core, { index: chunk.index, term: chunk.indexTerm, time: chunk.time, membership: chunk.membership, data });
}

/** The log reaches this far already: the leader committed it, so it is only the commit index that is news. Replacing the log would lose its tail. */
function alreadyHeld(core: Core, chunk: SnapshotChunk): void {
  core.incoming = undefined;
  core.matched = Math.max(core.matched, chunk.index, core.commit);
  core.ackOwed = true;
  commitTo(core, chunk.index);
}

/** The assembly this chunk belongs to. The same bytes from another leader continue it; other bytes begin a new one. */
function assembly(core: Core, chunk: SnapshotChunk): NonNullable<Core["incoming"]> {
  const { incoming } = core;
  const same = incoming?.index === chunk.index && incoming.indexTerm === chunk.indexTerm && incoming.total === chunk.total && bytesEqual(incoming.digest, chunk.digest);
  if (incoming !== undefined && same) return incoming;
  const fresh = { index: chunk.index, indexTerm: chunk.indexTerm, total: chunk.total, digest: chunk.digest, parts: [], held: 0 };
  core.incoming = fresh;
  return fresh;
}

/** The log does not contain the snapshot's last entry: all of it goes, in one write with the snapshot. */
function restore(core: Core, snapshot: Snapshot): void {
  if (core.traceHook !== undefined) core.trace("ReceiveSnapshot", { from: core.leader, to: core.id, detail: { index: snapshot.index } });
  if (core.pendingInstall === undefined) core.stableBeforeInstall = core.log.stable;
  if (core.writeUnderWay !== undefined) core.writeUnderWay.agrees = -1;
  core.log.reset(snapshot);
  core.pendingInstall = snapshot;
  core.ownSnapshot = undefined;
  core.matched = snapshot.index;
  core.ackSent = 0;
  core.ackOwed = false;
  core.installOwed = { index: snapshot.index, total: snapshot.data.length };
  commitTo(core, snapshot.index);
  refreshRole(core);
}

/** Reports an installed snapshot to the leader, once durable. */
export function flushInstalled(core: Core): void {
  const owed = core.installOwed;
  if (owed === undefined || !installedReady(core) || core.leader === undefined) return;
  core.installOwed = undefined;
  core.ackSent = Math.max(core.ackSent, owed.index);
  core.send(core.leader, { type: "snapshot-reply", term: core.term, index: owed.index, offset: owed.total, installed: true });
}

export function installedReady(core: Core): boolean {
  return core.installOwed !== undefined && core.pendingInstall === undefined && core.leader !== undefined && core.hardDurable;
}
