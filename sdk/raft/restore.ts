// Starting from what was stored: checked before it is believed, because a node that forgot or invents something can break the group.
import { InvalidArgumentError, isPeerId, type LogIndex, type PeerId } from "../base/index.ts";
import type { Core } from "./core.ts";
import { CorruptStateError } from "./errors.ts";
import type { RaftLog } from "./log.ts";
import { decodeMembership, encodeMembership, isEmpty, membershipFault, membershipFor } from "./membership.ts";
import { entryOf, PackedEntries, type PackedRun, type StoredState } from "./packed-entries.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, ENTRY_NOOP, type Entry, type HardState, type RestoredState, type Snapshot } from "./types.ts";

/** The state of a node that knows nobody yet: a joiner, which learns the group from whoever leads it. */
export const BLANK_STATE: RestoredState = { hardState: { term: 0, vote: undefined, commit: 0 }, snapshot: undefined, entries: [] };

/**
 * The stored state of a founding voter: one membership entry at index 1 of term 1, committed. Every founder that starts with the same
 * `voters` has the same bytes there, so log matching holds among them without a word spoken; nobody was ever elected in term 1, and nobody
 * will be, because campaigns begin at term 2. Store it before the node runs, exactly once per group. Throws `InvalidArgumentError` when
 * `id` is not among the voters, or these can not be a membership.
 */
export function bootstrapState(id: PeerId, voters: readonly PeerId[]): RestoredState {
  const membership = membershipFor({ voters, learners: [] });
  if (membership === undefined) throw new InvalidArgumentError(`founding voters must be distinct peer ids, at least one: got ${JSON.stringify(voters)}`);
  if (!membership.voters.includes(id)) throw new InvalidArgumentError(`founder ${id} must be among the founding voters ${JSON.stringify(voters)}`);
  const entry: Entry = { index: 1, term: 1, kind: ENTRY_MEMBERSHIP, time: 0, data: encodeMembership(membership) };
  return { hardState: { term: 1, vote: undefined, commit: 1 }, snapshot: undefined, entries: [entry] };
}

function check(holds: boolean, record: string, why: string): asserts holds {
  if (!holds) throw new CorruptStateError(record, why);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function checkHardState({ term, vote, commit }: HardState): void {
  check(isCount(term), "hard-state", `term ${term} is not a whole number from 0`);
  check(isCount(commit), "hard-state", `commit ${commit} is not a whole number from 0`);
  check(vote === undefined || isPeerId(vote), "hard-state", "the vote is not a peer id");
  check(vote === undefined || term > 0, "hard-state", "a vote in term 0");
}

function checkSnapshot(snapshot: Snapshot, term: number): void {
  check(isCount(snapshot.index) && snapshot.index > 0, "snapshot", `index ${snapshot.index} is not a whole number from 1`);
  check(isCount(snapshot.term) && snapshot.term > 0 && snapshot.term <= term, "snapshot", `term ${snapshot.term} is not between 1 and the current term ${term}`);
  check(isCount(snapshot.time), "snapshot", `time ${snapshot.time} is not a whole number from 0`);
  const fault = membershipFault(snapshot.membership);
  check(fault === undefined, "snapshot", `its membership is malformed: ${fault}`);
}

/** Appends entries to the log one by one, each checked against the one before it. */
class CheckedAppend {
  readonly #log: RaftLog;
  /** The current term: no entry has a later one. */
  readonly #term: number;

  constructor({ log }: Core, term: number) {
    this.#log = log;
    this.#term = term;
  }

  all(entries: StoredState["entries"]): void {
    if (entries instanceof PackedEntries) entries.eachRun((run, first) => this.#run(run, first));
    else for (const entry of entries) this.#next(entry);
  }

  /** What is as it should be and no membership is taken over at one go, the rest one by one. */
  #run(run: PackedRun, first: LogIndex): void {
    let from = run.from;
    while (from < run.to) {
      const to = first + from - run.from === this.#log.last + 1 ? this.#plainUntil(run, from) : from;
      if (to > from) this.#log.appendRun({ ...run, from, to });
      if (to < run.to) this.#next(entryOf(run, first, to));
      from = to + 1;
    }
  }

  /** Where from `from` on the first entry is that something may be wrong with, or that is a membership. */
  #plainUntil({ columns: { terms, kinds, times }, to }: PackedRun, from: number): number {
    let { lastTerm: term, lastTime: time } = this.#log;
    for (let at = from; at < to; at += 1) {
      const kind = kinds[at];
      const nextTerm = terms[at] ?? 0;
      const nextTime = times[at] ?? 0;
      if ((kind !== ENTRY_COMMAND && kind !== ENTRY_NOOP) || !(nextTerm >= term && nextTerm >= 1 && nextTerm <= this.#term && nextTime >= time && isCount(nextTerm) && isCount(nextTime))) return at;
      term = nextTerm;
      time = nextTime;
    }
    return to;
  }

  #next(entry: Entry): void {
    const { index, kind, data } = entry;
    const fault = this.#fault(entry);
    if (fault !== undefined) throw new CorruptStateError(`entry ${this.#log.last + 1}`, fault);
    if (kind === ENTRY_MEMBERSHIP) checkMembership(index, data);
    this.#log.appendEntry(entry);
  }

  /** Words are made only where there is a fault. */
  #fault({ index, term, kind, time }: Entry): string | undefined {
    const { last, lastTerm, lastTime } = this.#log;
    if (index !== last + 1) return `found index ${index} in its place`;
    if (!isCount(term) || term < 1 || term < lastTerm || term > this.#term) return `term ${term} is not between the term before it, ${lastTerm}, and the current term ${this.#term}`;
    if (!isCount(time) || time < lastTime) return `time ${time} is before the one of the entry before it, ${lastTime}`;
    return kind === ENTRY_NOOP || kind === ENTRY_COMMAND || kind === ENTRY_MEMBERSHIP ? undefined : `kind ${String(kind)} is unknown`;
  }
}

function checkMembership(index: number, data: Uint8Array): void {
  try {
    decodeMembership(data);
  } catch (cause) {
    throw new CorruptStateError(`entry ${index}`, "its membership is malformed", { cause });
  }
}

/** Loads the state into a new machine. Throws {@link CorruptStateError}; nothing is ever clamped into shape. */
export function restoreInto(core: Core, { hardState, snapshot, entries }: StoredState): void {
  checkHardState(hardState);
  if (snapshot !== undefined) {
    checkSnapshot(snapshot, hardState.term);
    core.log.reset(snapshot);
  }
  new CheckedAppend(core, hardState.term).all(entries);
  check(hardState.commit <= core.log.last, "hard-state", `commit ${hardState.commit} is beyond the last entry ${core.log.last}`);
  check(core.log.last === 0 || !isEmpty(core.log.membershipAt(core.log.last)), "entry 1", "entries without any membership");
  core.term = hardState.term;
  core.durableTerm = hardState.term;
  core.vote = hardState.vote;
  core.durableVote = hardState.vote;
  core.durableCommit = hardState.commit;
  core.snapshot = snapshot;
  core.readyInstall = undefined;
  core.log.restored();
  core.commit = Math.max(hardState.commit, snapshot?.index ?? 0);
  core.applied = snapshot?.index ?? 0;
}
