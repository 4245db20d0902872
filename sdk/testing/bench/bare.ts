// The machine's own limit: the same messages as a commit needs, through the same codec and queues, with nobody deciding anything.
import type { PeerId } from "../../base/index.ts";
import { decodeMessage, encodeMessage } from "../../raft/codec.ts";
import { ENTRY_COMMAND, type Entry } from "../../raft/types.ts";
import { Group, type BenchNode } from "./group.ts";
import { idsOf } from "./machine-node.ts";

/** Sends what was proposed since the last turn to the others in one message, and waits until a majority answered. */
export class BareLeader implements BenchNode {
  readonly id: PeerId;
  readonly isLeader = true;
  readonly #others: readonly PeerId[];
  readonly #needed: number;
  #entries: Entry[] = [];
  #last = 0;
  #committed = 0;
  readonly #acknowledged = new Map<PeerId, number>();

  constructor(id: PeerId, others: readonly PeerId[]) {
    this.id = id;
    this.#others = others;
    this.#needed = Math.floor((others.length + 1) / 2);
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message.type === "append-reply") this.#acknowledged.set(from, message.index);
  }

  tick(): void {}

  propose(payload: Uint8Array): void {
    this.#last += 1;
    this.#entries.push({ index: this.#last, term: 1, kind: ENTRY_COMMAND, time: 0, data: payload });
  }

  work(send: (to: PeerId, bytes: Uint8Array) => void): number {
    if (this.#entries.length > 0) {
      const bytes = encodeMessage({ type: "append", term: 1, prevIndex: this.#last - this.#entries.length, prevTerm: 1, commit: this.#committed, entries: this.#entries });
      this.#entries = [];
      for (const other of this.#others) send(other, bytes);
    }
    const held = [...this.#acknowledged.values()].sort((a, b) => b - a)[this.#needed - 1] ?? 0;
    const news = held - this.#committed;
    this.#committed = held;
    return news;
  }
}

/** Answers every message with the index of its last entry. */
export class BareFollower implements BenchNode {
  readonly id: PeerId;
  readonly isLeader = false;
  readonly #leader: PeerId;
  #acknowledge: number | undefined;

  constructor(id: PeerId, leader: PeerId) {
    this.id = id;
    this.#leader = leader;
  }

  receive(_from: PeerId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message.type === "append") this.#acknowledge = message.prevIndex + message.entries.length;
  }

  tick(): void {}

  propose(): void {}

  work(send: (to: PeerId, bytes: Uint8Array) => void): number {
    if (this.#acknowledge === undefined) return 0;
    send(this.#leader, encodeMessage({ type: "append-reply", term: 1, ok: true, index: this.#acknowledge, hintIndex: 0, hintTerm: 0 }));
    this.#acknowledge = undefined;
    return 0;
  }
}

/** A group of bare nodes; the first leads. */
export function bareGroup(size: number): Group {
  const [leader, ...others] = idsOf(size);
  return new Group([new BareLeader(leader!, others), ...others.map((id) => new BareFollower(id, leader!))]);
}
