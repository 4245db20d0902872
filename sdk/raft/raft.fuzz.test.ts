// Small random worlds against the rules of safety; every rule is checked at the moment it could be broken. A failure names its seed.
import { expect, test } from "vitest";
import { below, peerId, seededRandom, type LogIndex, type PeerId, type Random } from "../base/index.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { isVoter, jointIndex } from "./index.ts";
import { TestNetwork, type TestNode } from "./test-network.ts";
import type { Entry, Membership } from "./types.ts";
import type { WorkOptions } from "./work.ts";

const NAMES: readonly PeerId[] = ["a", "b", "c", "d", "e"].map((name) => peerId(name));

/** States a rule; cheaper than an assertion library where millions are checked. */
function rule(holds: boolean, says: string): void {
  if (!holds) throw new Error(says);
}

interface Fact {
  readonly term: number;
  readonly text: string;
}

/** What an entry says, as text: two entries are the same when this is. */
function textOf(entry: Entry): string {
  return `${entry.term}/${entry.kind}/${entry.time}/${entry.data.join(",")}`;
}

/** One random world. */
class World {
  readonly net: TestNetwork;
  readonly random: Random;
  readonly leaders = new Map<number, PeerId>();
  readonly votes = new Map<string, PeerId>();
  readonly committed = new Map<LogIndex, Fact>();
  readonly applied = new Map<PeerId, LogIndex>();
  readonly readFloors = new Map<string, LogIndex>();
  readonly parted = new Set<PeerId>();
  highest = 0;
  nextRead = 1;
  nextValue = 1;
  readsAnswered = 0;
  changes = 0;
  grants = 0;
  /** Of a thousand steps, how many say goodbye, and how many change the membership. */
  readonly goodbyes: number;

  constructor(seed: number) {
    this.random = seededRandom(seed, 99);
    const founders = NAMES.slice(0, 1 + below(this.random, 4));
    this.goodbyes = below(this.random, 4);
    const batchBytesMax = 1 + below(this.random, 200);
    this.net = new TestNetwork({
      seed,
      config: { inflightMax: 1 + below(this.random, 4), inflightBytesMax: batchBytesMax + below(this.random, 200), batchBytesMax, snapshotChunkBytes: 8, uncommittedBytesMax: 600, commandBytesMax: 100 },
    });
    const founded = TestNetwork.of(founders).nodes;
    for (const id of NAMES) this.net.add(id, founded.get(id)?.disk.state);
    for (const node of this.net.nodes.values()) node.diskIsFast = false;
  }

  chance(percent: number): boolean {
    return below(this.random, 100) < percent;
  }

  pick(): PeerId {
    return NAMES[below(this.random, NAMES.length)]!;
  }

  /** Takes one node's work and checks every promise in it against the disk of that moment. */
  drain(id: PeerId): void {
    const node = this.net.node(id);
    if (node.isDown) return;
    // Half of the turns hold news back, and the next one may not come for long.
    const how: WorkOptions = { holdNews: this.chance(50) };
    for (let turn = 0; node.raft.hasWork(how); turn += 1) {
      rule(turn < 1000, "work ends");
      const work = node.raft.takeWork(how);
      for (const { to, message } of work.messages) {
        this.checkPromise(node, to, message.type === "append" ? message : decodeMessage(encodeMessage(message)));
        this.net.queue.push({ from: id, to, bytes: encodeMessage(message) });
      }
      if (work.install !== undefined) {
        const { install } = work;
        rule(install.index > (this.applied.get(id) ?? 0), "an install goes forward");
        rule(new TextDecoder().decode(install.data) === this.digestThrough(install.index), "an installed snapshot holds the state at its index");
        this.applied.set(id, install.index);
      }
      for (const entry of work.committed) this.handUp(node, entry);
      for (const read of work.reads) {
        if (read.index === undefined) continue;
        this.readsAnswered += 1;
        rule(read.index >= this.readFloors.get(`${id}/${read.id}`)!, "a read sees what was committed before it");
      }
      if (work.write !== undefined) {
        rule(node.write === undefined, "one write at a time");
        node.write = work.write;
        if (this.chance(40)) this.finish(id);
      }
    }
    this.observe(node);
  }

  finish(id: PeerId): void {
    const node = this.net.node(id);
    if (node.write === undefined) return;
    this.net.finishWrite(id);
    const { entries, snapshot, hardState } = node.disk.state;
    let index = snapshot?.index ?? 0;
    let term = snapshot?.term ?? 0;
    for (const entry of entries) {
      rule(entry.index === (index += 1), "the stored log has no holes");
      rule(entry.term >= term, "terms never fall along the stored log");
      term = entry.term;
    }
    rule(term <= hardState.term && hardState.commit <= index, "the stored hard state fits the stored log");
  }

  /** The text the layers above would snapshot: everything committed so far, in short. */
  digestThrough(index: LogIndex): string {
    return `state-after-${index}-${this.committed.get(index)!.text.length}`;
  }

  handUp(node: TestNode, entry: Entry): void {
    rule(entry.index === (this.applied.get(node.id) ?? 0) + 1, "each index once, in order");
    this.applied.set(node.id, entry.index);
    const known = this.committed.get(entry.index);
    if (known === undefined) this.committed.set(entry.index, { term: entry.term, text: textOf(entry) });
    else rule(textOf(entry) === known.text, `index ${entry.index} is the same everywhere`);
  }

  lastOnDisk(node: TestNode): LogIndex {
    const { entries, snapshot } = node.disk.state;
    return entries.length > 0 ? entries[entries.length - 1]!.index : (snapshot?.index ?? 0);
  }

  checkPromise(node: TestNode, to: PeerId, message: ReturnType<typeof decodeMessage>): void {
    const { hardState } = node.disk.state;
    if (message.type === "vote-reply" && message.granted) {
      rule(hardState.term === message.term && hardState.vote === to, "a granted vote is on disk");
      this.vote(node.id, message.term, to);
    }
    if (message.type === "vote") {
      rule(hardState.term === message.term && hardState.vote === node.id, "a candidate's own vote is on disk");
      this.vote(node.id, message.term, node.id);
    }
    if (message.type === "append-reply" && message.ok) {
      rule(hardState.term === message.term && this.lastOnDisk(node) >= message.index, "what is acknowledged is on disk");
      const leader = this.net.node(to);
      // What is acknowledged is equal to what the leader of that term has.
      if (leader.raft.role === "leader" && leader.raft.term === message.term && message.index > (leader.disk.state.snapshot?.index ?? 0)) {
        const mine = node.disk.state.entries.find((entry) => entry.index === message.index);
        const theirs = leader.disk.state.entries.find((entry) => entry.index === message.index);
        if (mine !== undefined && theirs !== undefined && theirs.term >= mine.term) rule(textOf(mine) === textOf(theirs), "what is acknowledged equals the leader's");
      }
    }
    if (message.type === "append" || message.type === "heartbeat") {
      rule((this.leaders.get(message.term) ?? node.id) === node.id, "one leader speaks per term");
      this.leaders.set(message.term, node.id);
    }
    if (message.type === "parting-grant") this.grants += 1;
  }

  vote(voter: PeerId, term: number, candidate: PeerId): void {
    const key = `${voter}/${term}`;
    rule((this.votes.get(key) ?? candidate) === candidate, `${voter} votes once in term ${term}`);
    this.votes.set(key, candidate);
  }

  /** Rules about the commit index: it only grows to what a quorum of the membership in force holds on disk. */
  observe(node: TestNode): void {
    const { raft } = node;
    if (raft.role === "leader") {
      rule((this.leaders.get(raft.term) ?? node.id) === node.id, "one leader per term");
      this.leaders.set(raft.term, node.id);
      if (raft.commitIndex > this.highest) {
        const { voters, votersOutgoing } = raft.membership;
        const held = (ids: readonly PeerId[]): number[] => ids.map((id) => this.lastOnDisk(this.net.node(id)));
        rule(jointIndex(held(voters), held(votersOutgoing)) >= raft.commitIndex, `${node.id} commits what is durable`);
      }
    }
    this.highest = Math.max(this.highest, raft.commitIndex);
  }

  step(): void {
    const id = this.pick();
    const node = this.net.node(id);
    const dice = below(this.random, 1000);
    if (dice < 300) {
      if (!node.isDown) node.raft.tick();
    } else if (dice < 650) {
      this.deliver();
    } else if (dice < 800) {
      if (!node.isDown) this.finish(id);
    } else if (dice < 900) {
      if (!node.isDown) node.raft.propose([new TextEncoder().encode(`v${(this.nextValue += 1)}`)]);
      if (!node.isDown && this.chance(20)) node.raft.forward([new TextEncoder().encode(`f${(this.nextValue += 1)}`)]);
    } else if (dice < 930) {
      this.read(node);
    } else if (dice < 950) {
      this.compact(node);
    } else if (dice < 970) {
      this.change(node);
    } else if (dice < 975) {
      if (!node.isDown) node.raft.transferLeadership(this.pick());
    } else if (dice < 985) {
      this.net.crash(id);
    } else if (dice < 1000 - this.goodbyes) {
      if (node.isDown || (this.parted.has(id) && this.chance(20))) this.restart(id);
    } else if (!node.isDown && (node.raft.role === "leader" || this.chance(20))) {
      node.raft.part();
      this.parted.add(id);
      this.drain(id);
      if (this.chance(70)) this.net.crash(id);
    }
    this.drain(id);
  }

  deliver(): void {
    const { queue } = this.net;
    if (queue.length === 0) return;
    const at = this.chance(80) ? 0 : below(this.random, queue.length);
    const frame = this.chance(90) ? queue.splice(at, 1)[0]! : queue[at]!;
    if (this.chance(5)) return;
    if (queue.length > 400) queue.splice(0, 200);
    const node = this.net.node(frame.to);
    if (node.isDown) return;
    node.raft.step(frame.from, decodeMessage(frame.bytes));
    this.drain(frame.to);
  }

  read(node: TestNode): void {
    if (node.isDown) return;
    const id = (this.nextRead += 1);
    this.readFloors.set(`${node.id}/${id}`, this.highest);
    node.raft.readIndex(id);
  }

  compact(node: TestNode): void {
    const through = this.applied.get(node.id) ?? 0;
    if (!node.isDown && through > 0) node.raft.compact(through, new TextEncoder().encode(this.digestThrough(through)));
  }

  change(node: TestNode): void {
    if (node.isDown || node.raft.role !== "leader") return;
    // Pairs and lone leaders often: their rules are special.
    const few = this.chance(50);
    const voters = few ? NAMES.filter((id) => id === node.id || this.chance(20)).slice(0, 2) : NAMES.filter(() => this.chance(50));
    const learners = NAMES.filter((id) => !voters.includes(id) && this.chance(40));
    const answer = node.raft.changeMembership({ voters, learners });
    if ("index" in answer) this.changes += 1;
  }

  restart(id: PeerId): void {
    this.net.restart(id);
    this.parted.delete(id);
    const node = this.net.node(id);
    node.diskIsFast = false;
    this.applied.set(id, node.disk.state.snapshot?.index ?? 0);
    this.drain(id);
  }

  /** Everything works again: somebody must lead and everybody must agree. */
  heal(): void {
    for (const [id, node] of this.net.nodes) {
      if (node.isDown || this.parted.has(id)) this.restart(id);
    }
    for (let round = 0; round < 600; round += 1) {
      for (const id of NAMES) {
        const node = this.net.node(id);
        this.finish(id);
        node.raft.tick();
        this.drain(id);
      }
      const batch = this.net.queue.splice(0);
      for (const frame of batch) {
        this.net.node(frame.to).raft.step(frame.from, decodeMessage(frame.bytes));
        this.drain(frame.to);
      }
    }
  }

  get leader(): TestNode | undefined {
    const leading = [...this.net.nodes.values()].filter((node) => node.raft.role === "leader");
    return leading.sort((a, b) => b.raft.term - a.raft.term)[0];
  }
}

function live(world: World, membership: Membership): TestNode[] {
  return NAMES.filter((id) => isVoter(membership, id)).map((id) => world.net.node(id));
}

const SEEDS = 60;

test(`[RF1] ${SEEDS} random worlds keep every rule of safety and recover when they are healed`, { timeout: 120_000 }, () => {
  let elections = 0;
  let reads = 0;
  let changes = 0;
  let installs = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = new World(seed);
    try {
      for (let i = 0; i < 4000; i += 1) world.step();
      world.heal();
      const { leader } = world;
      expect(leader, "somebody leads after healing").toBeDefined();
      const before = leader!.raft.commitIndex;
      expect("first" in leader!.raft.propose([new Uint8Array(1)])).toBe(true);
      world.drain(leader!.id);
      world.heal();
      expect(leader!.raft.commitIndex, "a proposal commits after healing").toBeGreaterThan(before);
      for (const node of live(world, leader!.raft.membership)) expect(node.raft.commitIndex, `${node.id} has caught up`).toBe(leader!.raft.commitIndex);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
    elections += world.leaders.size;
    reads += world.readsAnswered;
    changes += world.changes;
    installs += NAMES.reduce((sum, id) => sum + world.net.raft(id).metrics.snapshotsInstalled, 0);
  }
  expect(elections).toBeGreaterThan(SEEDS);
  expect(reads).toBeGreaterThan(SEEDS);
  expect(changes).toBeGreaterThan(SEEDS / 2);
  expect(installs).toBeGreaterThan(SEEDS / 10);
});
