// The follower's half of replication: checking and taking entries, learning the commit index, acknowledging only what is durable (Figure 2).
import type { LogIndex, PeerId } from "../base/index.ts";
import type { Core } from "./core.ts";
import { decodeMembership } from "./membership.ts";
import type { AppendRequest, Heartbeat } from "./message.ts";
import { commitTo } from "./replication.ts";
import { refreshRole } from "./roles.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "./types.ts";
import { withoutContent } from "./witness.ts";

/** Why the entries of an append can not come from a correct leader, or undefined. */
function entriesFault(message: AppendRequest): string | undefined {
  let { prevIndex: index, prevTerm: term } = message;
  if (term > message.term || !Number.isSafeInteger(index + message.entries.length)) return "bad-append";
  let time = 0;
  for (const entry of message.entries) {
    index += 1;
    if (entry.index !== index || entry.term < term || entry.term > message.term || entry.time < time) return "bad-entries";
    if (entry.kind === ENTRY_MEMBERSHIP && !isMembership(entry)) return "bad-membership";
    term = entry.term;
    time = entry.time;
  }
  return undefined;
}

function isMembership(entry: Entry): boolean {
  try {
    decodeMembership(entry.data);
    return true;
  } catch {
    return false;
  }
}

/** Entries from the leader of the current term. The caller has checked who speaks and made this node its follower. */
export function onAppend(core: Core, from: PeerId, message: AppendRequest): void {
  const fault = entriesFault(message);
  if (fault !== undefined) return core.drop(fault, from, message);
  const entries = core.isWitness ? withoutContent(message.entries) : message.entries;
  let known = 0;
  if (message.prevIndex < core.commit) {
    // What is committed here is in every later leader's log (leader completeness): begin behind it.
    known = Math.min(entries.length, core.commit - message.prevIndex);
  } else if (!core.log.matches(message.prevIndex, message.prevTerm)) {
    return refuse(core, from, message);
  }
  // Only a real difference cuts the log: a delayed, shorter append must never remove what came after it (B10).
  while (known < entries.length && core.log.matches(message.prevIndex + known + 1, entries[known]?.term ?? 0)) known += 1;
  const first = message.prevIndex + known + 1;
  if (known < entries.length) {
    if (first <= core.log.last && first <= Math.max(core.matched, core.commit)) return core.drop("conflict-with-verified", from, message);
    take(core, first, entries.slice(known));
  }
  const end = message.prevIndex + entries.length;
  core.matched = Math.max(core.matched, end, core.commit);
  core.ackOwed = true;
  commitTo(core, Math.min(message.commit, end));
}

function take(core: Core, first: LogIndex, entries: readonly Entry[]): void {
  const before = core.log.membershipIndex;
  if (first <= core.log.last) core.truncateAfter(first - 1);
  for (const entry of entries) core.log.appendEntry(entry);
  core.entriesAppended += entries.length;
  if (core.log.membershipIndex !== before) refreshRole(core);
}

/** Says where the leader may try next: the last index here whose term is not above its own there. */
function refuse(core: Core, from: PeerId, message: AppendRequest): void {
  const hintIndex = Math.max(core.commit, core.log.lastAtMost(Math.min(message.prevIndex, core.log.last), message.prevTerm));
  core.send(from, { type: "append-reply", term: core.term, ok: false, index: message.prevIndex, hintIndex, hintTerm: Math.max(0, core.log.termAt(hintIndex)) });
}

/**
 * Proof that the leader leads. It names only commits that this node acknowledged in this term, so they are in this log, also when it restarted
 * since and has verified nothing yet; naming more is a fault of the leader, or the sign of a disk that forgot.
 */
export function onHeartbeat(core: Core, from: PeerId, message: Heartbeat): void {
  if (message.commit > core.log.last) return core.drop("commit-beyond-log", from, message);
  commitTo(core, message.commit);
  if (message.round > 0) core.send(from, { type: "heartbeat-reply", term: core.term, round: message.round });
}

/** How far the log is both equal to the leader's and durable; undefined while a snapshot that replaces it is being written. */
function acknowledgeable(core: Core): LogIndex | undefined {
  return core.pendingInstall === undefined ? Math.min(core.matched, core.log.stable) : undefined;
}

/** True when an acknowledgement can leave now. */
export function ackReady(core: Core): boolean {
  if (!core.ackOwed || core.leader === undefined || !core.hardDurable) return false;
  const index = acknowledgeable(core);
  return index !== undefined && (index >= core.matched || index > core.ackSent);
}

/** One acknowledgement for everything since the last, however many appends that was. */
export function flushAck(core: Core): void {
  if (!ackReady(core) || core.leader === undefined) return;
  const index = acknowledgeable(core) ?? 0;
  core.ackOwed = index < core.matched;
  core.ackSent = Math.max(core.ackSent, index);
  core.send(core.leader, { type: "append-reply", term: core.term, ok: true, index, hintIndex: 0, hintTerm: 0 });
}
