// The machines of a transcript with their disks and the wires between them; everything that happens becomes a line. For this folder's tests.
import { type PeerId, type Random, utf8 } from "../base/index.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { raftConfig, type RaftConfig } from "./config.ts";
import type { RaftMachine, TraceEvent } from "./raft-machine.ts";
import { Raft } from "./raft.ts";
import { sayEntries, sayMembership, sayMessage, sayWrite } from "./scenario-words.ts";
import { Disk, TEST_CONFIG } from "./test-network.ts";
import type { RestoredState } from "./types.ts";
import type { Work, Write } from "./work.ts";

/** Patience is always the longest, so that a script decides who campaigns. Numbers of reads differ per incarnation. */
function patient(incarnation: number): Random {
  return { uint32: () => 10 + 11 * incarnation };
}

interface ScenarioNode {
  readonly id: PeerId;
  readonly disk: Disk;
  raft: RaftMachine;
  isSlow: boolean;
  isDown: boolean;
  write: Write | undefined;
  /** What was last said about it, by facet. */
  said: readonly string[];
}

interface SentMessage {
  readonly number: number;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly bytes: Uint8Array;
  isQueued: boolean;
}

export class ScenarioWorld {
  readonly nodes: Map<PeerId, ScenarioNode> = new Map();
  readonly messages: SentMessage[] = [];
  /** Lines since they were last taken. */
  lines: string[] = [];
  /** Messages are not told of, only what they lead to. */
  isQuiet = false;
  config: Partial<RaftConfig> = {};
  readonly #cut = new Set<string>();
  #incarnation = 0;

  say(id: PeerId, text: string): void {
    this.lines.push(`  ${id}  ${text}`);
  }

  node(id: PeerId): ScenarioNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  add(id: PeerId, state: RestoredState): void {
    const disk = new Disk(state);
    const node: ScenarioNode = { id, disk, raft: this.#start(id, state), isSlow: false, isDown: false, write: undefined, said: [] };
    this.nodes.set(id, node);
    this.work(id);
  }

  #start(id: PeerId, restored: RestoredState): RaftMachine {
    this.#incarnation += 1;
    const trace = ({ name, from, message, detail }: TraceEvent): void => {
      if (name === "DropMessage") this.say(id, `drops ${message?.type ?? "a message"} of ${from ?? "somebody"}: ${String(detail?.["reason"])}`);
    };
    return new Raft({ id, config: raftConfig({ ...TEST_CONFIG, ...this.config }, "lan"), restored, random: patient(this.#incarnation), trace });
  }

  crash(id: PeerId): void {
    const node = this.node(id);
    node.isDown = true;
    node.write = undefined;
  }

  restart(id: PeerId): void {
    const node = this.node(id);
    this.crash(id);
    node.isDown = false;
    node.raft = this.#start(id, node.disk.state);
    node.said = [];
    this.work(id);
  }

  /** Does something to a machine and everything that follows from it there. */
  act<T>(id: PeerId, does: (raft: RaftMachine) => T): T {
    const node = this.node(id);
    if (node.isDown) throw new Error(`${id} is down`);
    const answer = does(node.raft);
    this.work(id);
    return answer;
  }

  /** The node's work until there is none. */
  work(id: PeerId): void {
    const node = this.node(id);
    this.#notice(node);
    for (let turns = 0; node.raft.hasWork(); turns += 1) {
      if (turns > 1000) throw new Error(`${id} never runs out of work`);
      this.#do(node, node.raft.takeWork());
      this.#notice(node);
    }
  }

  #do(node: ScenarioNode, { messages, write, install, committed, reads, refusedForwards }: Work): void {
    for (const { to, message } of messages) this.#send(node.id, to, encodeMessage(message));
    if (install !== undefined) this.say(node.id, `installs the state through ${install.index}`);
    if (committed.length > 0) this.say(node.id, `hands up ${sayEntries(committed)}`);
    for (const { id, index } of reads) this.say(node.id, index === undefined ? `read ${id} is not confirmed` : `read ${id} is confirmed at ${index}`);
    for (const { accepted, refused } of refusedForwards) this.say(node.id, `was refused ${refused} forwarded commands after ${accepted}`);
    if (write === undefined) return;
    node.write = write;
    if (node.isSlow) this.say(node.id, `begins to write ${sayWrite(write)}`);
    else this.#finish(node);
  }

  #finish(node: ScenarioNode): void {
    const { write } = node;
    if (write === undefined) throw new Error(`${node.id} writes nothing`);
    node.write = undefined;
    node.disk.apply(write);
    node.raft.writeDone(write.id);
  }

  /** The write under way becomes durable. */
  finishWrite(id: PeerId): void {
    this.#finish(this.node(id));
    this.work(id);
  }

  #send(from: PeerId, to: PeerId, bytes: Uint8Array): void {
    const number = this.messages.length + 1;
    const isLost = this.#cut.has(`${from} ${to}`) || this.nodes.get(to)?.isDown !== false;
    this.messages.push({ number, from, to, bytes, isQueued: !isLost });
    if (!this.isQuiet) this.say(from, `→ ${to} ${isLost ? "(lost)" : `[${number}]`} ${sayMessage(decodeMessage(bytes))}`);
  }

  cut(a: PeerId, b: PeerId): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
    for (const message of this.messages) if ((message.from === a && message.to === b) || (message.from === b && message.to === a)) message.isQueued = false;
  }

  heal(): void {
    this.#cut.clear();
  }

  queued(from?: PeerId, to?: PeerId): SentMessage[] {
    return this.messages.filter((one) => one.isQueued && (from === undefined || one.from === from) && (to === undefined || one.to === to));
  }

  /** Every message ever sent between the two of that type, lost or delivered, oldest first. */
  sent(from: PeerId, to: PeerId, type: string): SentMessage[] {
    return this.messages.filter((one) => one.from === from && one.to === to && decodeMessage(one.bytes).type === type);
  }

  /** Delivers a message, also one that was delivered or lost before. */
  deliver(message: SentMessage): void {
    message.isQueued = false;
    const node = this.nodes.get(message.to);
    if (node === undefined || node.isDown) return;
    const decoded = decodeMessage(message.bytes);
    if (!this.isQuiet) this.say(node.id, `← ${message.from} [${message.number}] ${decoded.type}`);
    this.act(node.id, (raft) => raft.step(message.from, decoded));
  }

  /** Says what changed about a node since it was last looked at. */
  #notice(node: ScenarioNode): void {
    const { raft } = node;
    const follows = raft.leader !== undefined && raft.leader !== node.id ? ` of ${raft.leader}` : "";
    const now = [`${raft.role}${follows} in term ${raft.term}`, `commit ${raft.commitIndex}`, `knows ${sayMembership(raft.membership)}`];
    const fresh = now.filter((text, at) => text !== node.said[at]);
    node.said = now;
    if (fresh.length > 0) this.say(node.id, `is ${fresh.join(", ")}`.replace("is commit", "has commit").replace("is knows", "knows"));
  }

  sayDisk(id: PeerId): void {
    const { hardState, snapshot, entries } = this.node(id).disk.state;
    const before = snapshot === undefined ? "" : `snapshot through ${snapshot.index}@${snapshot.term} ${sayMembership(snapshot.membership)}; `;
    this.say(id, `disk: ${before}${sayEntries(entries)}; term ${hardState.term}, vote ${hardState.vote ?? "nobody"}`);
  }
}

/** `x:300` is 300 bytes of x. */
export function payload(word: string): Uint8Array {
  const [text = "", count] = word.split(":");
  return utf8(count === undefined ? text : text.repeat(Number(count)));
}
