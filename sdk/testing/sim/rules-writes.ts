// Rules about what reaches the disk, judged when a write is handed out: I2, I3, I4, I7, I8, I10, I11.
import { NO_BYTES, type LogIndex, type PeerId, type Term } from "../../base/index.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, isWitness, type Entry, type Membership, type Write } from "../../raft/index.ts";
import { hashBytes } from "./draw.ts";
import type { History, NodeSheet } from "./history.ts";
import { demand } from "./violation.ts";

/** Judges a write about to start on a node's disk. */
export function judgeWrite(history: History, sheet: NodeSheet, write: Write): void {
  const { durable } = sheet.disk;
  const asWitness = isWitness(sheet.id);
  if (asWitness) judgeContent(sheet.id, write.entries);
  demand("I2", sheet.disk.pending === undefined, () => `${sheet.id} starts write ${write.id} while another is under way`);
  judgeHardState(sheet, write);
  if (write.snapshot !== undefined) judgeSnapshot(history, sheet, write);
  const lastKept = judgeTruncation(history, sheet, write);
  const term = (write.hardState ?? durable.hardState).term;
  let previous = lastKept.term;
  let index = lastKept.index;
  for (const entry of write.entries) {
    demand("I2", entry.index === index + 1, () => `${sheet.id} writes index ${entry.index} after ${index}`);
    demand("I2", entry.term >= previous, () => `${sheet.id} writes term ${entry.term} after term ${previous} at index ${index}`);
    demand("I2", entry.term <= term, () => `${sheet.id} writes an entry of term ${entry.term} in term ${term}`);
    judgeEntry(history, sheet, entry, { previousTerm: previous, asWitness });
    previous = entry.term;
    index = entry.index;
  }
}

function judgeHardState(sheet: NodeSheet, write: Write): void {
  const before = sheet.disk.durable.hardState;
  const after = write.hardState;
  if (after === undefined) return;
  demand("I7", after.term >= before.term, () => `${sheet.id} writes term ${after.term} over ${before.term}`);
  demand("I7", after.commit >= before.commit, () => `${sheet.id} writes commit ${after.commit} over ${before.commit}`);
  demand("I8", after.term > before.term || before.vote === undefined || before.vote === after.vote,
    () => `${sheet.id} writes vote ${String(after.vote)} over ${String(before.vote)} in term ${after.term}`);
}

function judgeSnapshot(history: History, sheet: NodeSheet, { snapshot }: Write): void {
  if (snapshot === undefined) return;
  const { index, term, data } = snapshot;
  demand("I11", index >= sheet.disk.durable.snapshotIndex, () => `${sheet.id} stores a snapshot at ${index} over one at ${sheet.disk.durable.snapshotIndex}`);
  demand("I11", index <= history.committed && history.committedTerm(index) === term,
    () => `${sheet.id} stores a snapshot at ${index} of term ${term}; committed there: term ${String(history.committedTerm(index))}`);
  if (isWitness(sheet.id)) return demand("W1", data.length === 0, () => `${data.length} bytes of state reach ${sheet.id}`);
  const hash = hashBytes(data);
  const first = history.snapshotHashes.get(index);
  demand("I11", first === undefined || first === hash, () => `${sheet.id} stores a snapshot at ${index} that differs from another at the same index`);
  history.snapshotHashes.set(index, hash);
}

/** What stands right before the first entry written, once the write's snapshot and truncation are done. */
function judgeTruncation(history: History, sheet: NodeSheet, write: Write): { readonly index: LogIndex; readonly term: Term } {
  const { durable } = sheet.disk;
  const snapshot = write.snapshot;
  const floor = snapshot?.index ?? durable.snapshotIndex;
  const last = Math.max(durable.lastIndex, floor);
  const first = write.entries[0]?.index;
  const keepTo = Math.min(write.truncateAfter ?? last, first === undefined ? last : first - 1);
  if (keepTo < last) {
    const truncating = `${sheet.id} keeps entries up to ${keepTo} of ${last}`;
    demand("I2", write.truncateAfter !== undefined, () => `${truncating} without saying so`);
    demand("I2", keepTo >= floor, () => `${truncating} with a snapshot at ${floor}`);
    const leads = sheet.role === "leader";
    const cut = durable.termAt(keepTo + 1);
    // A stale entry may lie where something else is committed by now; what is committed may never be cut.
    demand("I6", cut === undefined || cut !== history.committedTerm(keepTo + 1), () => `${truncating}, cutting (${keepTo + 1}, term ${String(cut)}), which is committed`);
    demand("I4", !leads || (cut ?? 0) < sheet.term, () => `${truncating} of its own as the leader of term ${sheet.term}`);
  }
  const term = snapshot !== undefined && keepTo === snapshot.index ? snapshot.term : durable.termAt(keepTo);
  return { index: keepTo, term: term ?? 0 };
}

/** What must be the same about an entry everywhere, beside its index and term. */
export function hashEntry({ data, kind, time }: Entry): number {
  return hashBytes(data, kind + 31 * (time | 0));
}

/** What of it a witness may know: everything of a membership, of a command not a byte. */
export function hashShape(entry: Entry): number {
  return hashEntry(entry.kind === ENTRY_COMMAND ? { ...entry, data: NO_BYTES } : entry);
}

/** W1: no byte of a command reaches a witness. */
export function judgeContent(witness: PeerId, entries: readonly Entry[]): void {
  for (const { index, kind, data } of entries) demand("W1", kind !== ENTRY_COMMAND || data.length === 0, () => `${data.length} bytes of the command at ${index} reach ${witness}`);
}

/** I3 and I4 at once: an entry is created once, by the leader of its term, and is the same wherever it is seen. */
export function judgeEntry(history: History, sheet: NodeSheet, entry: Entry, { previousTerm, asWitness }: { readonly previousTerm: Term; readonly asWitness: boolean }): void {
  const known = history.known(entry.index, entry.term);
  const shape = hashShape(entry);
  const hash = asWitness ? undefined : hashEntry(entry);
  if (known !== undefined) {
    known.hash ??= hash;
    demand("I3", known.shape === shape && (hash === undefined || known.hash === hash), () => `two entries at (${entry.index}, term ${entry.term}); ${sheet.id} has the second`);
    demand("I3", known.previousTerm === previousTerm, () => `before (${entry.index}, term ${entry.term}) stands term ${known.previousTerm} elsewhere and ${previousTerm} at ${sheet.id}`);
    return;
  }
  const leader = history.leaders.get(entry.term);
  demand("I4", leader === sheet.id, () => `${sheet.id} made entry (${entry.index}, term ${entry.term}) of the leader ${String(leader)}`);
  history.learn(entry.index, { term: entry.term, hash, shape, previousTerm });
}

/** The newest membership entry of a leader's own: I10. Called at the write that carries it. */
export function judgeMembershipEntries(history: History, sheet: NodeSheet, write: Write, decode: (data: Uint8Array) => Membership): void {
  if (sheet.role !== "leader") return;
  let before = sheet.disk.durable.membership;
  for (const entry of write.entries) {
    if (entry.kind !== ENTRY_MEMBERSHIP) continue;
    const after = { index: entry.index, membership: decode(entry.data) };
    if (entry.term === sheet.term && before !== undefined) judgeChange(history, sheet, before, after);
    before = after;
  }
}

interface Placed { readonly index: LogIndex; readonly membership: Membership }

function judgeChange(history: History, sheet: NodeSheet, before: Placed, after: Placed): void {
  const change = `${sheet.id} goes from ${describeMembership(before.membership)} at ${before.index} to ${describeMembership(after.membership)} at ${after.index}`;
  // The leader of a two-voter group may take the other voter out alone, whatever else about the two is still open.
  if (isLoneRemoval(sheet.id, before.membership, after.membership)) return;
  demand("I10", before.index <= sheet.commit, () => `${change} while only ${sheet.commit} is committed`);
  const ownTermCommitted = (history.committedTerm(sheet.commit) ?? 0) === sheet.term;
  demand("I10", ownTermCommitted, () => `${change} before an entry of its own term ${sheet.term} committed`);
  demand("I10", isLegalChange(before.membership, after.membership), () => `${change}: their quorums need not meet`);
}

/** Every quorum of `before` contains the leader, because all its voters are the leader and at most one other, and `after` is the leader alone. */
function isLoneRemoval(leader: PeerId, before: Membership, after: Membership): boolean {
  const outgoing = before.votersOutgoing;
  const union = new Set([...before.voters, ...outgoing]);
  const inEvery = before.voters.includes(leader) && (outgoing.length === 0 || outgoing.includes(leader));
  return inEvery && union.size <= 2 && after.votersOutgoing.length === 0 && sameIds(after.voters, [leader]);
}

function isLegalChange(before: Membership, after: Membership): boolean {
  if (before.votersOutgoing.length > 0) return after.votersOutgoing.length === 0 ? sameIds(after.voters, before.voters) : sameIds(after.voters, before.voters) && sameIds(after.votersOutgoing, before.votersOutgoing);
  if (after.votersOutgoing.length > 0) return sameIds(after.votersOutgoing, before.voters);
  const union = new Set([...before.voters, ...after.voters]).size;
  const majority = (size: number): number => Math.floor(size / 2) + 1;
  return majority(before.voters.length) + majority(after.voters.length) > union;
}

function sameIds(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** A membership in a few characters. */
export function describeMembership({ voters, votersOutgoing, learners }: Membership): string {
  return `{${voters.join()}${votersOutgoing.length > 0 ? `&${votersOutgoing.join()}` : ""}${learners.length > 0 ? ` learners ${learners.join()}` : ""}}`;
}

/** After a batch became durable: the votes it made permanent. */
export function judgeDurable(sheet: NodeSheet): void {
  const { term, vote } = sheet.disk.durable.hardState;
  if (vote === undefined) return;
  const before = sheet.durableVotes.get(term);
  demand("I8", before === undefined || before === vote, () => `${sheet.id} voted for ${String(before)} and then for ${vote} in term ${term}`);
  sheet.durableVotes.set(term, vote);
}

