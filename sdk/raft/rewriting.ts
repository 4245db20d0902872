// After a write that failed: is everything promised still on the disk, and what is to be written instead.
import { assert, type PeerId, type Term } from "../base/index.ts";
import type { Core, WriteUnderWay } from "./core.ts";
import { CorruptStateError } from "./errors.ts";
import { takeWrite } from "./persistence.ts";
import type { HardState, RestoredState } from "./types.ts";
import type { Write } from "./work.ts";

/**
 * Compares what the disk holds with what this node said about it. The write under way may have happened or not. Throws
 * {@link CorruptStateError} when anything durable is missing or different: then the node must not go on.
 */
export function recheck(core: Core, { hardState, snapshot, entries }: RestoredState): void {
  const write = core.writeUnderWay;
  if (!isOf(hardState, core.durableTerm, core.durableVote) && (write === undefined || !isOf(hardState, write.term, write.vote))) {
    throw new CorruptStateError("hard-state", `term ${hardState.term} and a vote for ${hardState.vote ?? "nobody"} instead of term ${core.durableTerm} and a vote for ${core.durableVote ?? "nobody"}`);
  }
  const base = snapshot?.index ?? 0;
  const held = core.snapshot?.index ?? 0;
  if (base !== held && base !== write?.own?.index && base !== write?.install?.index) throw new CorruptStateError("snapshot", `it ends at ${base} instead of ${held}`);
  const stable = core.pendingInstall === undefined ? core.log.stable : core.stableBeforeInstall;
  const last = base + entries.length;
  if (last < stable) throw new CorruptStateError(`entry ${last + 1}`, `it is missing, and entries up to ${stable} were durable`);
  // What a received snapshot is about to replace is not in memory any more.
  if (core.pendingInstall !== undefined) return;
  for (const { index, term } of entries) {
    if (index <= core.log.snapshotIndex || index > stable) continue;
    if (core.log.termAt(index) !== term) throw new CorruptStateError(`entry ${index}`, `it is of term ${term} instead of ${core.log.termAt(index)}`);
  }
}

/**
 * Takes the write under way back and hands out one that holds everything not durable by now: it may have more entries, or a snapshot made
 * meanwhile. Undefined when nothing is left to write. `found` is what the disk holds, checked as by {@link recheck}. The patience with a
 * disk that does not answer goes on from where it was, so that a node whose writes keep failing neither leads nor campaigns (L6).
 */
export function rewrite(core: Core, id: number, found: RestoredState): Write | undefined {
  const failed = core.writeUnderWay;
  assert(failed !== undefined && failed.id === id, "only the write under way can be taken back");
  recheck(core, found);
  takeBack(core, failed);
  core.durableCommit = found.hardState.commit;
  // Whichever tail is there now is cut by the write to come.
  if (core.pendingInstall === undefined) core.log.stored = (found.snapshot?.index ?? 0) + found.entries.length;
  const next = takeWrite(core);
  if (core.writeUnderWay !== undefined) core.writeUnderWay.ticks = failed.ticks;
  return next;
}

function takeBack(core: Core, { own }: WriteUnderWay): void {
  core.writeUnderWay = undefined;
  if (own !== undefined && core.ownSnapshot === undefined && own.index > (core.snapshot?.index ?? 0) && core.pendingInstall === undefined) core.ownSnapshot = own;
}

function isOf(hardState: HardState, term: Term, vote: PeerId | undefined): boolean {
  return hardState.term === term && hardState.vote === vote;
}
