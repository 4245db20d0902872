// Coverage marks: what a run really went through, so that a seed in which nothing happened does not count as proof.
import type { PeerId, Term } from "../../base/index.ts";
import { isWitness, type Message, type Role } from "../../raft/index.ts";
import type { NodeSheet } from "./history.ts";

/** Every mark; a soak reports how often each was hit. */
export const MARKS = [
  "elected", "re-elected", "split-vote", "leader-stepped-down", "leader-crashed", "leader-frozen", "leader-isolated", "leader-stalled",
  "truncated", "inherited-tail-committed", "compacted", "snapshot-sent", "snapshot-in-chunks", "snapshot-installed",
  "joint-entered", "joint-interrupted", "learner-promoted", "leader-removed-itself", "lone-removal", "spare-promoted",
  "transfer-asked", "transfer-done", "transfer-refused", "parting-grant", "elected-by-parting-grant",
  "read-by-leader", "read-by-follower", "read-refused", "forwarded", "forward-refused", "duplicate-skipped", "outcome-unknown", "refused-busy",
  "torn-write-kept", "torn-write-lost", "write-refused", "wiped", "pre-vote-refused", "vote-refused", "append-refused",
  "snapshot-progress", "one-way-partition", "channel-reset", "frame-duplicated", "frame-lost", "frame-late", "clock-jumped", "converged-under-load", "news-held",
  "witness-voted", "committed-by-witness", "core-needs-witness",
] as const;

/** One mark. */
export type Mark = (typeof MARKS)[number];

/** Counts of one run, by mark, message type, role transition and fault. */
export class Coverage {
  readonly marks: Map<Mark, number> = new Map();
  readonly messages: Map<string, number> = new Map();
  readonly transitions: Map<string, number> = new Map();
  readonly faults: Map<string, number> = new Map();
  #leader: PeerId | undefined;
  readonly #offsets = new Map<string, number>();
  readonly #seen = new WeakMap<NodeSheet, { role: Role; term: Term; joint: boolean }>();

  hit(mark: Mark, times = 1): void {
    if (times > 0) this.marks.set(mark, (this.marks.get(mark) ?? 0) + times);
  }

  count(mark: Mark): number {
    return this.marks.get(mark) ?? 0;
  }

  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  /** A leader was elected; `joint` when it inherited a joint membership. */
  elected(id: PeerId, sheet: NodeSheet, by: { readonly joint: boolean; readonly parting: boolean }): void {
    this.hit("elected");
    if (this.#leader !== undefined && this.#leader !== id) this.hit("re-elected");
    this.#leader = id;
    if (by.joint) this.hit("joint-interrupted");
    if (by.parting) this.hit("elected-by-parting-grant");
    if (sheet.disk.durable.lastIndex > sheet.commit) this.hit("inherited-tail-committed");
  }

  /** A node's view after an event. */
  viewed(sheet: NodeSheet): void {
    const joint = sheet.membership.votersOutgoing.length > 0;
    const before = this.#seen.get(sheet);
    if (before === undefined) {
      this.#seen.set(sheet, { role: sheet.role, term: sheet.term, joint });
      return;
    }
    if (before.role === sheet.role && before.term === sheet.term && before.joint === joint) return;
    if (before.role !== sheet.role) {
      const transition = `${before.role} → ${sheet.role}`;
      this.transitions.set(transition, (this.transitions.get(transition) ?? 0) + 1);
      if (before.role === "learner") this.hit("learner-promoted");
      if (before.role === "leader" && sheet.role === "learner") this.hit("leader-removed-itself");
    }
    if (before.role === "candidate" && sheet.role === "pre-candidate") this.hit("split-vote");
    if (joint && !before.joint) this.hit("joint-entered");
    before.role = sheet.role;
    before.term = sheet.term;
    before.joint = joint;
  }

  #received(transfer: string, offset: number): void {
    if (offset <= (this.#offsets.get(transfer) ?? -1)) return;
    this.#offsets.set(transfer, offset);
    this.hit("snapshot-progress");
  }

  /** A frame left. */
  sent(from: PeerId, message: Message): void {
    this.messages.set(message.type, (this.messages.get(message.type) ?? 0) + 1);
    switch (message.type) {
      case "pre-vote-reply":
        if (!message.granted) this.hit("pre-vote-refused");
        return;
      case "vote-reply":
        if (!message.granted) this.hit("vote-refused");
        else if (isWitness(from)) this.hit("witness-voted");
        return;
      case "append-reply":
        if (!message.ok) this.hit("append-refused");
        return;
      case "snapshot-chunk":
        this.hit("snapshot-sent");
        if (message.offset > 0) this.hit("snapshot-in-chunks");
        return;
      case "forward":
        return this.hit("forwarded");
      case "forward-reply":
        return this.hit("forward-refused", message.refused);
      case "parting-grant":
        return this.hit("parting-grant");
      case "snapshot-reply":
        // Only what is new moves a snapshot on: the same answer again is none.
        return this.#received(`${from} ${message.index}`, message.offset);
      case "pre-vote":
      case "vote":
      case "append":
      case "heartbeat":
      case "heartbeat-reply":
      case "read":
      case "read-reply":
      case "timeout-now":
        return;
    }
  }
}
