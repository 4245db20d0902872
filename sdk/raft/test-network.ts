// A group of machines in one place for this folder's tests: every message goes through the codec, disks acknowledge when told, nothing is random.
import { peerId, seededRandom, type LogIndex, type PeerId } from "../base/index.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { raftConfig, type RaftConfig } from "./config.ts";
import type { Message } from "./message.ts";
import type { TraceEvent } from "./raft-machine.ts";
import { Raft } from "./raft.ts";
import { BLANK_STATE, bootstrapState } from "./restore.ts";
import type { Entry, RestoredState, Snapshot } from "./types.ts";
import type { ReadResult, Work, WorkOptions, Write } from "./work.ts";

/** What survives a crash of one node. */
export class Disk {
  state: RestoredState;

  constructor(state: RestoredState) {
    this.state = state;
  }

  apply(write: Write): void {
    let { hardState, snapshot, entries } = this.state;
    if (write.snapshot !== undefined) {
      const { index } = write.snapshot;
      snapshot = write.snapshot;
      entries = entries.filter((entry) => entry.index > index);
    }
    if (write.truncateAfter !== undefined) {
      const { truncateAfter } = write;
      entries = entries.filter((entry) => entry.index <= truncateAfter);
    }
    const copies = write.entries.map((entry) => ({ ...entry, data: entry.data.slice() }));
    if (write.hardState !== undefined) hardState = write.hardState;
    this.state = { hardState, snapshot, entries: [...entries, ...copies] };
  }
}

/** One machine with its disk and what it handed up. */
export class TestNode {
  readonly id: PeerId;
  readonly disk: Disk;
  raft: Raft;
  write: Write | undefined = undefined;
  committed: Entry[] = [];
  installs: Snapshot[] = [];
  reads: ReadResult[] = [];
  refused: Work["refusedForwards"][number][] = [];
  /** Writes are acknowledged at once; false: only by `finishWrite`. */
  diskIsFast = true;
  isDown = false;

  constructor(id: PeerId, disk: Disk, raft: Raft) {
    this.id = id;
    this.disk = disk;
    this.raft = raft;
  }

  get payloads(): string[] {
    return this.committed.filter((entry) => entry.kind === 1).map((entry) => new TextDecoder().decode(entry.data));
  }
}

export interface InFlight {
  readonly from: PeerId;
  readonly to: PeerId;
  readonly bytes: Uint8Array;
}

export interface NetworkOptions {
  readonly config?: Partial<RaftConfig>;
  readonly seed?: number;
  readonly trace?: (event: TraceEvent) => void;
}

/** Peer ids by name. */
export const A: PeerId = peerId("a");
export const B: PeerId = peerId("b");
export const C: PeerId = peerId("c");
export const D: PeerId = peerId("d");
export const E: PeerId = peerId("e");

/** A stored state whose log has the founding entry and then one command per given term; the hard state's term is `term` or the last of them. */
export function stateWith(voters: readonly PeerId[], terms: readonly number[], hard: { readonly term?: number; readonly vote?: PeerId; readonly commit?: number } = {}): RestoredState {
  const founded = bootstrapState(voters[0] ?? A, voters);
  const entries = terms.map((term, i): Entry => ({ index: i + 2, term, kind: 1, time: 0, data: new TextEncoder().encode(`t${term}i${i + 2}`) }));
  return {
    hardState: { term: hard.term ?? terms[terms.length - 1] ?? 1, vote: hard.vote, commit: hard.commit ?? 1 },
    snapshot: undefined,
    entries: [...founded.entries, ...entries],
  };
}

/** A tick is one millisecond here, so that timeouts read as ticks: 10 to 20 for elections, 3 for heartbeats. */
export const TEST_CONFIG: Partial<RaftConfig> = { tickMs: 1, electionTimeoutMsMin: 10, electionTimeoutMsMax: 20, heartbeatMs: 3 };

export class TestNetwork {
  readonly nodes: Map<PeerId, TestNode> = new Map();
  readonly queue: InFlight[] = [];
  /** Everything ever sent, in order. */
  readonly sent: { readonly from: PeerId; readonly to: PeerId; readonly message: Message }[] = [];
  /** Drops a message when it answers true. */
  filter: (from: PeerId, to: PeerId, message: Message) => boolean = () => false;
  /** Whether nodes do their work without telling commits in messages of their own. */
  holdsNews = false;
  readonly #options: NetworkOptions;
  #incarnation = 0;

  constructor(options: NetworkOptions = {}) {
    this.#options = options;
  }

  /** Founders with one membership. */
  static of(voters: readonly PeerId[], options: NetworkOptions = {}): TestNetwork {
    const network = new TestNetwork(options);
    for (const id of voters) network.add(id, bootstrapState(id, voters));
    return network;
  }

  add(id: PeerId, state: RestoredState = BLANK_STATE): TestNode {
    const node = new TestNode(id, new Disk(state), this.#start(id, state));
    this.nodes.set(id, node);
    return node;
  }

  #start(id: PeerId, restored: RestoredState): Raft {
    this.#incarnation += 1;
    const random = seededRandom(this.#options.seed ?? 1, this.#incarnation);
    return new Raft({ id, config: raftConfig({ ...TEST_CONFIG, ...this.#options.config }, "lan"), restored, random, trace: this.#options.trace });
  }

  node(id: PeerId): TestNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  raft(id: PeerId): Raft {
    return this.node(id).raft;
  }

  /** Everything not durable is gone. */
  crash(id: PeerId): void {
    const node = this.node(id);
    node.isDown = true;
    node.write = undefined;
  }

  restart(id: PeerId): void {
    const node = this.node(id);
    this.crash(id);
    node.isDown = false;
    node.committed = [];
    node.installs = [];
    node.raft = this.#start(id, node.disk.state);
  }

  /** Does one node's work until it has none: sends, writes (at once when the disk is fast), hands up. */
  drain(id: PeerId): void {
    const node = this.node(id);
    if (node.isDown) return;
    const how: WorkOptions = { holdNews: this.holdsNews };
    for (let turns = 0; node.raft.hasWork(how); turns += 1) {
      if (turns > 10_000) throw new Error(`${id} never runs out of work`);
      const work = node.raft.takeWork(how);
      for (const { to, message } of work.messages) this.#send(id, to, message);
      if (work.install !== undefined) {
        node.installs.push(work.install);
        node.committed = [];
      }
      node.committed.push(...work.committed);
      node.reads.push(...work.reads);
      node.refused.push(...work.refusedForwards);
      if (work.write !== undefined) {
        node.write = work.write;
        if (node.diskIsFast) this.finishWrite(id);
      }
    }
  }

  #send(from: PeerId, to: PeerId, message: Message): void {
    this.sent.push({ from, to, message });
    this.queue.push({ from, to, bytes: encodeMessage(message) });
  }

  /** The write under way becomes durable. */
  finishWrite(id: PeerId): void {
    const node = this.node(id);
    const { write } = node;
    if (write === undefined) return;
    node.write = undefined;
    node.disk.apply(write);
    node.raft.writeDone(write.id);
  }

  /** Delivers one message, or drops it. */
  deliverOne(): boolean {
    const next = this.queue.shift();
    if (next === undefined) return false;
    const message = decodeMessage(next.bytes);
    const node = this.nodes.get(next.to);
    if (node === undefined || node.isDown || this.filter(next.from, next.to, message)) return true;
    node.raft.step(next.from, message);
    this.drain(next.to);
    return true;
  }

  /** Delivers until nothing is under way. */
  settle(): void {
    for (const id of this.nodes.keys()) this.drain(id);
    for (let steps = 0; this.deliverOne(); steps += 1) if (steps > 1_000_000) throw new Error("the network never settles");
  }

  tick(id: PeerId, ticks = 1): void {
    for (let i = 0; i < ticks; i += 1) {
      if (this.node(id).isDown) return;
      this.raft(id).tick();
      this.drain(id);
    }
  }

  /** Time passes for everybody, and all messages arrive. */
  run(ticks: number): void {
    for (let i = 0; i < ticks; i += 1) {
      for (const id of this.nodes.keys()) this.tick(id);
      this.settle();
    }
  }

  get leaders(): PeerId[] {
    return [...this.nodes.values()].filter((node) => !node.isDown && node.raft.role === "leader").map((node) => node.id);
  }

  /** Lets `id` win an election: time passes for it alone until its patience is over. Others must not hear a leader. */
  elect(id: PeerId): void {
    this.settle();
    for (let i = 0; i < 90 && this.raft(id).role !== "leader"; i += 1) {
      this.tick(id);
      this.settle();
    }
    if (this.raft(id).role !== "leader") throw new Error(`${id} did not win`);
  }

  /** Hands a message to a node as if `from` had sent it, and does what follows on that node. */
  inject(from: PeerId, to: PeerId, message: Message): void {
    this.raft(to).step(from, decodeMessage(encodeMessage(message)));
    this.drain(to);
  }

  /** What a node sent since the last call of this, as addressed messages; nothing of it is delivered. */
  takeSent(from: PeerId): { readonly to: PeerId; readonly message: Message }[] {
    this.drain(from);
    const found = this.sent.filter((one) => one.from === from).map(({ to, message }) => ({ to, message }));
    this.sent.length = 0;
    this.queue.length = 0;
    return found;
  }

  /** Proposes at `id` and lets it settle. */
  propose(id: PeerId, ...commands: string[]): LogIndex {
    const answer = this.raft(id).propose(commands.map((text) => new TextEncoder().encode(text)));
    if ("refused" in answer) throw new Error(`refused: ${answer.refused}`);
    this.settle();
    return answer.first;
  }
}
