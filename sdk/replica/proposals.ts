// This node's commands whose fate is open: sent to whoever leads, sent again under the same bytes after a leader change or a silence, settled
// when their key commits here.
import { type LogIndex, type PeerId, type Term } from "../base/index.ts";
import type { Entry, RaftConfig, RaftMachine } from "../raft/index.ts";
import type { AppliedCommand } from "./applied-log.ts";
import { DUPLICATE_FORGOTTEN, REFUSED_EXPIRED, REFUSED_WINDOW } from "./client-sessions.ts";
import { encodeEnvelope } from "./envelope.ts";
import type { DedupKey } from "./ordered-log.ts";
import type { ProposedCommand, ProposeHints, Settlement } from "./replica-core.ts";

/** Commands open at a time on one node; one more is refused as `busy`. Their bytes are bounded by `uncommittedBytesMax`. */
const OPEN_MAX = 4096;
/** Commands in one forward message at most: as much as the leader can answer for in one turn. */
const FORWARD_MAX = 4096;

/** What a command's length takes in a message at most. */
const LENGTH_BYTES = 4;

/** Somebody who waits for a command, and until when. */
interface Waiting {
  readonly ticket: number;
  readonly deadline: number;
}

interface Open {
  readonly key: DedupKey;
  /** The envelope: made once, sent as often as needed. */
  readonly bytes: Uint8Array;
  /** Where the payload begins in it. */
  readonly payloadAt: number;
  readonly fresh: boolean;
  readonly waiting: Waiting[];
  /** When the first of those who wait gives up, in ticks. */
  deadline: number;
  isQueued: boolean;
  /** Somebody else may have seen it, or it is in the log here: it can not be taken back any more. */
  hasLeft: boolean;
  /** Forwarded: when to send it again, in ticks; the pause doubles each time. Undefined: nothing to wait for but the commit. */
  resendAt: number | undefined;
  pause: number;
}

/** The way to the leader: the machine, or where that knows none, another. */
export type Road = Pick<RaftMachine, "leader" | "term" | "propose" | "forward">;

type Settle = (ticket: number, settlement: Settlement) => void;

/** The open commands of one replica. Decides when to send what; the machine it is given does the sending. */
export class Proposals {
  readonly #self: PeerId;
  readonly #config: RaftConfig;
  readonly #settle: Settle;
  readonly #timeoutTicks: number;
  readonly #pauseMin: number;
  readonly #pauseMax: number;
  /** Client id → serial → command; in the order they were proposed. */
  readonly #open = new Map<string, Map<number, Open>>();
  #queue: Open[] = [];
  #count = 0;
  #bytes = 0;
  #sentTerm: Term = 0;
  #sentTo: PeerId | undefined = undefined;
  /** The leader had no room: nothing is sent until something commits or a tick passes. */
  #isHeld = false;
  #now = 0;

  constructor(self: PeerId, config: RaftConfig, settle: Settle) {
    this.#self = self;
    this.#config = config;
    this.#settle = settle;
    const ticks = (ms: number): number => Math.ceil(ms / config.tickMs);
    this.#timeoutTicks = ticks(config.proposeTimeoutMs);
    this.#pauseMin = Math.max(2, 2 * ticks(config.heartbeatMs));
    this.#pauseMax = Math.max(this.#pauseMin, ticks(config.electionTimeoutMsMax));
  }

  /** Takes a command in; it leaves with the next {@link flush}. */
  add(ticket: number, { lane, key, payload }: ProposedCommand, hints: ProposeHints): void {
    const known = this.#open.get(key.clientId)?.get(key.requestId);
    const deadline = this.#now + (hints.patienceTicks ?? this.#timeoutTicks);
    if (known !== undefined && endsAlike(known.bytes, known.payloadAt, payload, 0)) {
      known.waiting.push({ ticket, deadline });
      known.deadline = Math.min(known.deadline, deadline);
      return;
    }
    const bytes = encodeEnvelope({
      lane, clientId: key.clientId, requestId: key.requestId, lowestOutstanding: Math.min(hints.lowestOutstanding ?? 0, key.requestId),
      birth: hints.birth ?? 0, proposer: this.#self, payload,
    });
    if (bytes.length > this.#config.commandBytesMax) return this.#settle(ticket, { outcome: "refused", reason: "too-large" });
    if (known !== undefined) return this.#settle(ticket, { outcome: "refused", reason: "busy" });
    if (this.#count >= OPEN_MAX || (this.#count > 0 && this.#bytes + bytes.length > this.#config.uncommittedBytesMax)) return this.#settle(ticket, { outcome: "refused", reason: "busy" });
    const open: Open = {
      key, bytes, payloadAt: bytes.length - payload.length, fresh: hints.fresh ?? false, waiting: [{ ticket, deadline }],
      deadline, isQueued: true, hasLeft: hints.mayHaveLeft ?? false, resendAt: undefined, pause: this.#pauseMin,
    };
    this.#insert(open);
    this.#queue.push(open);
  }

  /** Forgets a ticket; a command nobody waits for is not sent again. Cost: a look at every open command, so that the many that end well pay nothing. */
  cancel(ticket: number): void {
    const open = this.#find(ticket);
    if (open === undefined) return;
    open.waiting.splice(open.waiting.findIndex((waiting) => waiting.ticket === ticket), 1);
    if (open.waiting.length === 0) this.#remove(open);
  }

  /** Takes a command back that has not left this node: it never will. False when it may have left, or is not open. */
  withdraw({ clientId, requestId }: DedupKey): boolean {
    const open = this.#open.get(clientId)?.get(requestId);
    if (open === undefined || open.hasLeft) return false;
    this.#end(open, { outcome: "refused", reason: "withdrawn" });
    return true;
  }

  /** True when {@link flush} would send something. */
  canSend(raft: Road): boolean {
    if (this.#count === 0 || raft.leader === undefined || this.#isHeld) return false;
    return this.#queue.length > 0 || raft.term !== this.#sentTerm || raft.leader !== this.#sentTo;
  }

  /** Sends what is due to whoever leads now. */
  flush(raft: Road): void {
    if (!this.canSend(raft)) return;
    if (raft.term !== this.#sentTerm || raft.leader !== this.#sentTo) {
      this.#sentTerm = raft.term;
      this.#sentTo = raft.leader;
      // What went to the old leader may or may not have survived it; the key makes it safe to ask again.
      this.#requeue(() => true);
    }
    if (raft.leader === this.#self) this.#appendHere(raft);
    else this.#forward(raft);
  }

  /** A tick passed: what waited too long is sent again or given up. */
  tick(): void {
    this.#now += 1;
    this.#isHeld = false;
    if (this.#count === 0) return;
    const late: Open[] = [];
    for (const serials of this.#open.values()) {
      for (const open of serials.values()) {
        if (open.deadline <= this.#now) late.push(open);
        else if (open.resendAt !== undefined && open.resendAt <= this.#now) this.#enqueueAgain(open);
      }
    }
    for (const open of late) this.#giveUp(open);
  }

  /** The command of this entry was applied (or judged) here. */
  committed({ index, data }: Entry, { head, verdict }: AppliedCommand): void {
    this.#isHeld = false;
    const open = this.#open.get(head.clientId)?.get(head.requestId);
    if (open === undefined) return;
    if (verdict === REFUSED_EXPIRED) return this.#end(open, { outcome: "refused", reason: "client-session-expired" });
    // Another copy may still be admitted once the window has moved on: not an answer yet.
    if (verdict === REFUSED_WINDOW) return;
    const isOurs = endsAlike(data, head.payloadAt, open.bytes, open.payloadAt) && (head.proposer === this.#self || !open.fresh);
    // Of a duplicate only the first application counts, and that may have been ours under other bytes; a stranger's first application is what hurts.
    this.#end(open, isOurs ? { outcome: "committed", index: verdict === DUPLICATE_FORGOTTEN ? index : verdict } : { outcome: "collision", index });
  }

  /** A snapshot replaced the log up to `index`: some of what is open may be in it. */
  installed(index: LogIndex, firstIndex: (key: DedupKey) => LogIndex | undefined): void {
    for (const serials of this.#open.values()) {
      for (const open of serials.values()) {
        const first = firstIndex(open.key);
        if (first !== undefined) this.#end(open, { outcome: "committed", index: first === DUPLICATE_FORGOTTEN ? index : first });
      }
    }
  }

  /** The leader refused the newest `count` of what was forwarded: they go again after a tick. */
  refused(count: number): void {
    this.#isHeld = true;
    let left = count;
    const sent = [...this.#open.values()].flatMap((serials) => [...serials.values()]).filter((open) => open.resendAt !== undefined);
    for (let at = sent.length - 1; at >= 0 && left > 0; at -= 1) {
      const open = sent[at];
      if (open !== undefined) open.resendAt = this.#now + 1;
      left -= 1;
    }
  }

  #appendHere(raft: Road): void {
    let batch = this.#queue.length;
    let at = 0;
    while (at < this.#queue.length && batch > 0) {
      const part = at === 0 && batch === this.#queue.length ? this.#queue : this.#queue.slice(at, at + batch);
      const answer = raft.propose(part.map((open) => open.bytes));
      if ("first" in answer) {
        for (const open of part) {
          open.isQueued = false;
          open.hasLeft = true;
        }
        at += part.length;
      } else if (answer.refused === "busy") {
        batch = Math.floor(part.length / 2);
      } else {
        batch = 0;
      }
    }
    this.#queue = at === this.#queue.length ? [] : this.#queue.slice(at);
    this.#isHeld = this.#queue.length > 0;
  }

  #forward(raft: Road): void {
    let at = 0;
    while (at < this.#queue.length) {
      const end = this.#chunkEnd(at);
      const part = this.#queue.slice(at, end);
      if (!raft.forward(part.map((open) => open.bytes))) break;
      for (const open of part) {
        open.isQueued = false;
        open.hasLeft = true;
        open.resendAt = this.#now + open.pause;
        open.pause = Math.min(open.pause * 2, this.#pauseMax);
      }
      at = end;
    }
    this.#queue = at === this.#queue.length ? [] : this.#queue.slice(at);
  }

  #chunkEnd(start: number): number {
    let size = 0;
    let end = start;
    while (end < this.#queue.length && end - start < FORWARD_MAX) {
      size += (this.#queue[end]?.bytes.length ?? 0) + LENGTH_BYTES;
      if (end > start && size > this.#config.batchBytesMax) break;
      end += 1;
    }
    return end;
  }

  #requeue(which: (open: Open) => boolean): void {
    for (const serials of this.#open.values()) for (const open of serials.values()) if (which(open)) this.#enqueueAgain(open);
  }

  #enqueueAgain(open: Open): void {
    open.resendAt = undefined;
    if (open.isQueued) return;
    open.isQueued = true;
    this.#queue.push(open);
  }

  #insert(open: Open): void {
    let serials = this.#open.get(open.key.clientId);
    if (serials === undefined) this.#open.set(open.key.clientId, (serials = new Map()));
    else if (serials.size === 0 && this.#open.size > 1) {
      // One that was kept empty takes its place behind the others, as a new one would.
      this.#open.delete(open.key.clientId);
      this.#open.set(open.key.clientId, serials);
    }
    serials.set(open.key.requestId, open);
    this.#count += 1;
    this.#bytes += open.bytes.length;
  }

  #remove(open: Open): void {
    const serials = this.#open.get(open.key.clientId);
    serials?.delete(open.key.requestId);
    // The last writer's map stays: one command at a time would make a new one for each.
    if (serials?.size === 0 && this.#open.size > 1) this.#open.delete(open.key.clientId);
    this.#count -= 1;
    this.#bytes -= open.bytes.length;
    if (open.isQueued) this.#queue = this.#queue.filter((queued) => queued !== open);
  }

  #end(open: Open, settlement: Settlement): void {
    this.#remove(open);
    for (const { ticket } of open.waiting) this.#settle(ticket, settlement);
  }

  /** Those who waited long enough are told so; the command goes on for the others. */
  #giveUp(open: Open): void {
    const late = open.waiting.filter(({ deadline }) => deadline <= this.#now);
    if (late.length === open.waiting.length) return this.#end(open, { outcome: "unknown", reason: "timeout", hasLeft: open.hasLeft });
    for (const one of late) open.waiting.splice(open.waiting.indexOf(one), 1);
    open.deadline = Math.min(...open.waiting.map(({ deadline }) => deadline));
    // Whether it leaves later is for the others to see.
    for (const { ticket } of late) this.#settle(ticket, { outcome: "unknown", reason: "timeout", hasLeft: true });
    return undefined;
  }

  #find(ticket: number): Open | undefined {
    for (const serials of this.#open.values()) for (const open of serials.values()) if (open.waiting.some((waiting) => waiting.ticket === ticket)) return open;
    return undefined;
  }
}

/** True when what stands from `aAt` in `a` equals what stands from `bAt` in `b`. */
function endsAlike(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const length = a.length - aAt;
  if (b.length - bAt !== length) return false;
  for (let at = 0; at < length; at += 1) if (a[aAt + at] !== b[bAt + at]) return false;
  return true;
}
