// The leader's half of snapshots: offering the newest one to a member whose entries are compacted, chunk by chunk, resumable by offset.
import { digest64, NO_BYTES } from "../base/index.ts";
import type { Core } from "./core.ts";
import type { SnapshotReply } from "./message.ts";
import type { Progress, SnapshotTransfer } from "./progress.ts";
import { withoutState } from "./witness.ts";

/** Chunks under way to one member before it must say that it holds some. Four of 16 KiB keep a 60 ms link at about 1 MiB/s. */
const CHUNKS_UNDER_WAY_MAX = 4;

/** Puts the member into the snapshot state. False when there is no durable snapshot yet (then it waits for the next turn). */
export function offerSnapshot(core: Core, peer: Progress): boolean {
  const { snapshot } = core;
  if (snapshot === undefined) return false;
  const begun = { held: 0, sent: -1, answered: 0 };
  if (peer.isWitness) peer.toSnapshot({ snapshot: withoutState(snapshot), digest: digest64(NO_BYTES), ...begun });
  else peer.toSnapshot({ snapshot, digest: (core.snapshotDigest ??= digest64(snapshot.data)), ...begun });
  core.snapshotsSent += 1;
  if (core.traceHook !== undefined) core.trace("SendSnapshot", { from: core.id, to: peer.id, detail: { index: snapshot.index } });
  return true;
}

/** Sends the chunks the window has room for. An empty snapshot is one empty chunk. */
export function flushSnapshot(core: Core, peer: Progress): void {
  const { transfer } = peer;
  if (transfer === undefined) return;
  const total = transfer.snapshot.data.length;
  const window = CHUNKS_UNDER_WAY_MAX * core.config.snapshotChunkBytes;
  if (transfer.sent < 0) {
    transfer.sent = transfer.held;
    if (transfer.held === total) return sendChunk(core, peer, transfer);
  }
  while (transfer.sent < total && transfer.sent - transfer.held < window) sendChunk(core, peer, transfer);
}

function sendChunk(core: Core, peer: Progress, transfer: SnapshotTransfer): void {
  const { index, term: indexTerm, time, membership, data } = transfer.snapshot;
  const bytes = data.subarray(transfer.sent, transfer.sent + core.config.snapshotChunkBytes);
  core.send(peer.id, {
    type: "snapshot-chunk", term: core.term, index, indexTerm, time, membership, total: data.length, digest: transfer.digest, offset: transfer.sent, bytes,
  });
  transfer.sent += bytes.length;
}

/** The member says how much it holds, or that it is done. */
export function onSnapshotReply(core: Core, peer: Progress, reply: SnapshotReply): void {
  const { transfer } = peer;
  if (transfer === undefined || reply.index !== transfer.snapshot.index) return core.drop("stale-snapshot-reply", peer.id, reply);
  if (reply.offset > transfer.snapshot.data.length) return core.drop("ack-beyond-snapshot", peer.id, reply);
  peer.active = true;
  core.flushDue = true;
  transfer.answered = reply.offset;
  if (reply.offset <= transfer.held) return;
  transfer.held = reply.offset;
  transfer.sent = Math.max(transfer.sent, transfer.held);
  peer.moved = true;
}

/** No chunk was acknowledged for a heartbeat: begin again where the member says it stands (it may have restarted). */
export function nudgeSnapshot(peer: Progress): void {
  const { transfer } = peer;
  if (transfer === undefined) return;
  transfer.held = transfer.answered;
  transfer.sent = -1;
}
