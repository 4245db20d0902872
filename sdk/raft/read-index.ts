// Linearizable reads (thesis §6.4): the commit index at the time of asking, confirmed by a round of heartbeats that began after it.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { Core, WaitingRead } from "./core.ts";
import type { ReadReply } from "./message.ts";
import { jointIndex } from "./quorum.ts";

/** Reads waiting on one node at most; one more is answered "not confirmed" at once. */
const READS_MAX = 4096;

/** A read of this node's own layers, on any role. */
export function askRead(core: Core, id: number): void {
  if (core.role === "leader") return enqueue(core, core.id, id);
  if (core.leader === undefined || core.parted || core.isWitness || core.askedReads.size >= READS_MAX) {
    core.readResults.push({ id, index: undefined });
    return;
  }
  // The nonce is drawn per incarnation, so an answer to a read from before a restart answers nothing.
  const nonce = core.nextNonce;
  core.nextNonce += 1;
  core.askedReads.set(nonce, { id, to: core.leader, ticks: 0 });
  core.send(core.leader, { type: "read", term: core.term, id: nonce });
}

/** A read asked by another member. */
export function onRead(core: Core, from: PeerId, nonce: number): void {
  if (core.role === "leader") enqueue(core, from, nonce);
  else core.send(from, { type: "read-reply", term: core.term, id: nonce, ok: false, index: 0 });
}

function enqueue(core: Core, from: PeerId, id: number): void {
  if (core.reads.length >= READS_MAX) return answer(core, { from, id, index: 0, round: 0 }, undefined);
  core.reads.push({ from, id, index: 0, round: 0 });
  core.flushDue = true;
}

function answer(core: Core, read: WaitingRead, index: LogIndex | undefined): void {
  if (read.from === core.id) core.readResults.push({ id: read.id, index });
  else core.send(read.from, { type: "read-reply", term: core.term, id: read.id, ok: index !== undefined, index: index ?? 0 });
}

/** Gives the reads that came since the last turn a new round, and says whether a heartbeat must carry it. Nothing is promised before an entry of the own term is committed (B19). */
export function startRound(core: Core): boolean {
  if (!core.ownTermCommitted) return false;
  let fresh = false;
  for (let i = core.reads.length - 1; i >= 0; i -= 1) {
    const read = core.reads[i];
    if (read === undefined || read.round > 0) break;
    if (!fresh) core.readRound += 1;
    fresh = true;
    read.round = core.readRound;
    read.index = core.commit;
  }
  return fresh;
}

function roundOf(core: Core, id: PeerId): number {
  return id === core.id ? core.readRound : (core.progress.get(id)?.round ?? 0);
}

/** Answers every read whose round a quorum has echoed in this term. */
export function releaseReads(core: Core): void {
  if (core.reads.length === 0 || core.role !== "leader") return;
  const { voters, votersOutgoing } = core.membership;
  const confirmed = jointIndex(voters.map((id) => roundOf(core, id)), votersOutgoing.map((id) => roundOf(core, id)));
  let done = 0;
  for (const read of core.reads) {
    if (read.round === 0 || read.round > confirmed) break;
    answer(core, read, read.index);
    done += 1;
  }
  if (done > 0) core.reads.splice(0, done);
}

/** The leader's answer to a read this node asked for. A repetition finds nothing. */
export function onReadReply(core: Core, from: PeerId, reply: ReadReply): void {
  const asked = core.askedReads.get(reply.id);
  if (asked === undefined || asked.to !== from) return core.drop("read-not-asked", from, reply);
  core.askedReads.delete(reply.id);
  core.readResults.push({ id: asked.id, index: reply.ok ? reply.index : undefined });
}

/** A read that got no answer for the longest election timeout ends unconfirmed. */
export function expireAskedReads(core: Core): void {
  for (const [nonce, asked] of core.askedReads) {
    asked.ticks += 1;
    if (asked.ticks < core.ticks.electionMax) continue;
    core.askedReads.delete(nonce);
    core.readResults.push({ id: asked.id, index: undefined });
  }
}
