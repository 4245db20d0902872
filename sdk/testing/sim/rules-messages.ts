// Rules about what is said, judged when a frame leaves: every grant, acknowledgement and answer against what is durable at the
// sender at that moment (I8, I9, I13, I17, I18), and every claim of leadership against who was elected (I1).
import type { LogIndex, PeerId, Term } from "../../base/index.ts";
import { isWitness, type AppendReply, type AppendRequest, type Message, type ReadReply, type VoteReply } from "../../raft/index.ts";
import { isQuorum, type History, type NodeSheet } from "./history.ts";
import { judgeContent, judgeEntry } from "./rules-writes.ts";
import { demand } from "./violation.ts";

/** A frame that leaves now. */
export interface Sent {
  readonly from: NodeSheet;
  readonly to: PeerId;
  readonly message: Message;
  /** Microseconds. */
  readonly now: number;
  /** A follower is sure to sit out this many of its ticks after hearing a leader. */
  readonly patienceTicks: number;
}

/** All a witness ever says (W2), and all it is ever told (W3). */
const ANSWERS: ReadonlySet<Message["type"]> = new Set(["pre-vote-reply", "vote-reply", "append-reply", "heartbeat-reply", "snapshot-reply"] as const);
const ASKED_OF_WITNESSES: ReadonlySet<Message["type"]> = new Set(["pre-vote", "vote", "append", "heartbeat", "snapshot-chunk"] as const);

/** Judges a frame and remembers what later rules need of it. */
export function judgeSent(history: History, sent: Sent): void {
  const { from, to, message, now } = sent;
  if (isWitness(from.id)) demand("W2", ANSWERS.has(message.type), () => `${from.id} says a ${message.type}, which is no answer`);
  if (isWitness(to)) demand("W3", ASKED_OF_WITNESSES.has(message.type), () => `${from.id} sends a ${message.type} to ${to}`);
  switch (message.type) {
    case "vote":
      note(history.candidacies, message.term, from.id, { lastIndex: message.lastIndex, lastTerm: message.lastTerm });
      demand("I15", from.stood === message.term, () => `${from.id} asks for votes in term ${message.term}, in which it does not stand`);
      return;
    case "pre-vote-reply":
      if (message.granted) judgePatience(sent, message.term, "pre-vote");
      return;
    case "vote-reply":
      if (message.granted) judgeGrant(history, sent, message);
      return;
    case "append":
      return judgeAppend(history, sent, message);
    case "append-reply":
      if (message.ok) judgeAcknowledgement(history, from, message);
      return;
    case "heartbeat":
      judgeLeadership(history, from, message.term);
      demand("I9", message.commit <= from.commit, () => `${from.id} announces commit ${message.commit}, its own is ${from.commit}`);
      return judgeAnnouncedCommit(history, to, message.commit, from.id);
    case "heartbeat-reply":
      demand("I18", message.term <= from.term, () => `${from.id} confirms term ${message.term} while in term ${from.term}`);
      from.echoes.set(`${to} ${message.term}`, now);
      return;
    case "snapshot-chunk":
      judgeLeadership(history, from, message.term);
      if (isWitness(to)) demand("W1", message.total === 0 && message.bytes.length === 0, () => `${message.total} bytes of state go to ${to}`);
      demand("I11", history.committedTerm(message.index) === message.indexTerm, () => `${from.id} sends a snapshot at ${message.index} of term ${message.indexTerm}, which is not what is committed`);
      return;
    case "snapshot-reply":
      if (message.installed) {
        const { durable } = from.disk;
        demand("I13", durable.lastIndex >= message.index && (durable.snapshotIndex >= message.index || durable.termAt(message.index) === history.committedTerm(message.index)),
          () => `${from.id} says a snapshot at ${message.index} is installed; its disk ends at ${durable.lastIndex}`);
      }
      return;
    case "read": {
      const key = readKey(from.id, to, message.id);
      if (!history.reads.has(key)) history.reads.set(key, { at: now, committed: history.committed });
      return;
    }
    case "read-reply":
      if (message.ok) judgeReadAnswer(history, from, to, message);
      return;
    case "parting-grant": {
      const grants = history.partings.get(message.term + 1) ?? [];
      grants.push({ from: from.id, to });
      history.partings.set(message.term + 1, grants);
      return;
    }
    case "timeout-now":
    case "pre-vote":
    case "forward":
    case "forward-reply":
      return;
  }
}

function note<V>(map: Map<Term, Map<PeerId, V>>, term: Term, id: PeerId, value: V): void {
  const inner = map.get(term) ?? new Map<PeerId, V>();
  inner.set(id, value);
  map.set(term, inner);
}

/** Stickiness: who heard a leader lately helps nobody to depose it (thesis §4.2.3). */
function judgePatience({ from, to, patienceTicks }: Sent, term: Term, what: string): void {
  const waited = from.patience.get(`${what} ${to} ${term}`) ?? patienceTicks;
  demand("L2", waited >= patienceTicks, () => `${from.id} grants ${to} a ${what} for term ${term}, asked ${waited} ticks after it heard a leader`);
}

/**
 * Remembers how long a voter had heard no leader when it was asked: an answer may leave later. Nobody is deposed by a voter that heard none or
 * has left the leader's term (with an earlier message of the same frame, too), by a transfer, or by a request for the very term the leader won:
 * that is a late copy of what elected it.
 */
export function noteRequests({ ticks, term, contact, patience }: NodeSheet, from: PeerId, messages: readonly Message[]): void {
  let hasLeft = contact === undefined || contact.term !== term;
  for (const message of messages) {
    const asks = message.type === "pre-vote" || message.type === "vote";
    const transfer = message.type === "vote" && message.transfer;
    if (asks) {
      const deposes = contact !== undefined && !hasLeft && message.term > contact.term && !transfer;
      const key = `${message.type} ${from} ${message.term}`;
      const waited = deposes ? ticks - contact.ticks : Number.POSITIVE_INFINITY;
      patience.set(key, Math.max(waited, patience.get(key) ?? 0));
    }
    hasLeft ||= message.term > term && (!asks || transfer) && !(message.type === "pre-vote-reply" && message.granted);
  }
}

function judgeGrant(history: History, sent: Sent, reply: VoteReply): void {
  const { from, to } = sent;
  const { term } = reply;
  judgePatience(sent, term, "vote");
  demand("I13", from.durableVotes.get(term) === to, () => `${from.id} grants ${to} term ${term}; durable there: ${String(from.durableVotes.get(term))}`);
  const before = history.votes.get(term)?.get(from.id);
  demand("I8", before === undefined || before === to, () => `${from.id} grants term ${term} to ${to} after ${String(before)}`);
  note(history.votes, term, from.id, to);
  const candidate = history.candidacies.get(term)?.get(to);
  demand("I8", candidate !== undefined, () => `${from.id} grants ${to} term ${term}, which nobody asked for`);
  if (candidate === undefined) return;
  // Entries of this very term can only have come from its leader, after the vote.
  const { durable } = from.disk;
  let last = durable.entries.length - 1;
  while (last >= 0 && (durable.entries[last]?.term ?? 0) >= term) last -= 1;
  const lastTerm = durable.entries[last]?.term ?? durable.snapshot?.term ?? 0;
  const lastIndex = durable.entries[last]?.index ?? durable.snapshotIndex;
  demand("I17", lastTerm < candidate.lastTerm || (lastTerm === candidate.lastTerm && lastIndex <= candidate.lastIndex) || lastTerm >= term,
    () => `${from.id} with log end (${lastIndex}, term ${lastTerm}) grants ${to} with (${candidate.lastIndex}, term ${candidate.lastTerm})`);
}

function judgeLeadership(history: History, from: NodeSheet, term: Term): void {
  const leader = history.leaders.get(term);
  demand("I1", leader === from.id, () => `${from.id} speaks as the leader of term ${term}, who is ${String(leader)}`);
}

function judgeAppend(history: History, { from, to }: Sent, message: AppendRequest): void {
  const { term, prevIndex, prevTerm, commit } = message;
  const asWitness = isWitness(to);
  if (asWitness) judgeContent(to, message.entries);
  judgeLeadership(history, from, term);
  demand("I9", commit <= from.commit, () => `${from.id} sends commit ${commit}, its own is ${from.commit}`);
  const assertions = history.assertions.get(term) ?? new Map<LogIndex, Term>();
  history.assertions.set(term, assertions);
  const asserted = assertions.get(prevIndex);
  demand("I4", asserted === undefined || asserted === prevTerm, () => `${from.id} says its entry ${prevIndex} is of term ${prevTerm} to ${to}, before it was ${String(asserted)}`);
  assertions.set(prevIndex, prevTerm);
  let [index, previous] = [prevIndex, prevTerm];
  for (const entry of message.entries) {
    demand("I2", entry.index === index + 1 && entry.term >= previous && entry.term <= term, () => `${from.id} sends (${entry.index}, term ${entry.term}) after (${index}, term ${previous})`);
    judgeEntry(history, from, entry, { previousTerm: previous, asWitness });
    if (entry.term < term) assertions.set(entry.index, entry.term);
    index = entry.index;
    previous = entry.term;
  }
}

/** An acknowledgement is true of the disk when it leaves: the log there equals the leader's up to the index. */
function judgeAcknowledgement(history: History, from: NodeSheet, { term, index }: AppendReply): void {
  const { durable } = from.disk;
  demand("I13", durable.hardState.term >= term, () => `${from.id} acknowledges in term ${term}, durable there: ${durable.hardState.term}`);
  demand("I13", durable.lastIndex >= index, () => `${from.id} acknowledges ${index}, durable there: ${durable.lastIndex}`);
  if (index === 0 || index <= durable.snapshotIndex) return;
  const leader = history.leaders.get(term);
  const image = leader === undefined ? undefined : history.nodes.get(leader)?.disk.durable;
  const expected = history.leaderTermAt(term, index, image) ?? (index <= history.committed ? history.committedTerm(index) : undefined);
  demand("I13", durable.termAt(index) === expected, () => `${from.id} acknowledges ${index} in term ${term} holding term ${String(durable.termAt(index))} there; the leader holds ${String(expected)}`);
}

/** A heartbeat's commit index never goes beyond what that follower is known to hold, and what is known is durable. */
function judgeAnnouncedCommit(history: History, to: PeerId, commit: LogIndex, from: PeerId): void {
  const receiver = history.nodes.get(to);
  const term = history.committedTerm(commit);
  if (receiver === undefined || commit === 0 || term === undefined) return;
  demand("I9", receiver.disk.durable.holds(commit, term), () => `${from} announces commit ${commit} to ${to}, whose disk does not hold it (ends at ${receiver.disk.durable.lastIndex})`);
}

function readKey(asker: PeerId, leader: PeerId, id: number): string {
  return `${asker} ${leader} ${id}`;
}

function judgeReadAnswer(history: History, from: NodeSheet, to: PeerId, reply: ReadReply): void {
  const asked = history.reads.get(readKey(to, from.id, reply.id));
  demand("I18", asked !== undefined, () => `${from.id} answers read ${reply.id} of ${to}, which it never asked`);
  if (asked === undefined) return;
  demand("I18", reply.index >= asked.committed, () => `${from.id} answers a read with ${reply.index}; ${asked.committed} was committed when ${to} asked`);
  judgeReadAuthority(history, from, { term: reply.term, since: asked.at });
}

/** A read is confirmed by a quorum that spoke in the leader's term after the read was asked: an older echo proves nothing. */
export function judgeReadAuthority(history: History, leader: NodeSheet, { term, since }: { readonly term: Term; readonly since: number }): void {
  const spoke = (id: PeerId): boolean => id === leader.id || (history.nodes.get(id)?.echoes.get(`${leader.id} ${term}`) ?? -1) >= since;
  demand("I18", isQuorum(leader.membership, spoke), () => `${leader.id} confirms a read in term ${term} without a quorum that spoke since`);
}
