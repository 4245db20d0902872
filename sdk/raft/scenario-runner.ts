// Runs a transcript: its commands (lines after `>`) again, and what they lead to in between. For this folder's tests; scenarios/README.md is the grammar.
import { peerId, type PeerId } from "../base/index.ts";
import type { MembershipTarget, RestoredState } from "./types.ts";
import { BLANK_STATE, bootstrapState } from "./restore.ts";
import { payload, ScenarioWorld } from "./scenario-world.ts";
import { stateWith } from "./test-network.ts";

/** Longest and shortest patience and the heartbeat interval of TEST_CONFIG, in ticks. */
const PATIENCE = 20;
const LEASE = 10;
const HEARTBEAT = 3;

type Words = readonly string[];
type Command = (world: ScenarioWorld, words: Words) => void;

/** Words after a keyword up to the next one. */
function after(words: Words, keyword: string, keywords: Words): string[] {
  const from = words.indexOf(keyword);
  if (from < 0) return [];
  const rest = words.slice(from + 1);
  const end = rest.findIndex((word) => keywords.includes(word));
  return end < 0 ? [...rest] : rest.slice(0, end);
}

function ids(words: Words): PeerId[] {
  return words.map((word) => peerId(word));
}

function one(words: Words, at = 0): PeerId {
  return peerId(words[at] ?? "");
}

const NODE_WORDS: Words = ["voters", "log", "term", "vote", "commit"];

function storedState(words: Words): RestoredState {
  const number = (keyword: string): number | undefined => {
    const [word] = after(words, keyword, NODE_WORDS);
    return word === undefined ? undefined : Number(word);
  };
  const [vote] = ids(after(words, "vote", NODE_WORDS));
  const term = number("term");
  const commit = number("commit");
  const hard = { ...(term === undefined ? {} : { term }), ...(vote === undefined ? {} : { vote }), ...(commit === undefined ? {} : { commit }) };
  return stateWith(ids(after(words, "voters", NODE_WORDS)), after(words, "log", NODE_WORDS).map(Number), hard);
}

function answer(world: ScenarioWorld, id: PeerId, result: { readonly refused: string } | { readonly index: number } | { readonly first: number } | undefined): void {
  if (result === undefined) return;
  if ("refused" in result) world.say(id, `refuses: ${result.refused}`);
  else world.say(id, `answers index ${"index" in result ? result.index : result.first}`);
}

function target(words: Words): MembershipTarget {
  const keywords = ["voters", "learners"];
  return { voters: ids(after(words, "voters", keywords)), learners: ids(after(words, "learners", keywords)) };
}

function settle(world: ScenarioWorld): void {
  for (let steps = 0; ; steps += 1) {
    const [next] = world.queued();
    if (next === undefined) return;
    if (steps > 10_000) throw new Error("the scenario never settles");
    world.deliver(next);
  }
}

/** Time passes for one node until it does something, at most its whole patience. */
function timeout(world: ScenarioWorld, id: PeerId): void {
  world.act(id, (raft) => {
    for (let ticks = 0; ticks < PATIENCE && !raft.hasWork(); ticks += 1) {
      const { role, term } = raft;
      raft.tick();
      if (raft.role !== role || raft.term !== term) break;
    }
  });
}

function tick(world: ScenarioWorld, id: PeerId, ticks: number): void {
  for (let i = 0; i < ticks; i += 1) world.act(id, (raft) => raft.tick());
}

function select(world: ScenarioWorld, words: Words): ReturnType<ScenarioWorld["queued"]> {
  if (words.length > 0 && words.every((word) => /^\d+$/.test(word))) {
    return words.map((word) => {
      const message = world.messages[Number(word) - 1];
      if (message === undefined) throw new Error(`no message ${word}`);
      return message;
    });
  }
  const [from, to] = words.map((word) => (word === "*" ? undefined : peerId(word)));
  return world.queued(from, to);
}

const COMMANDS: Readonly<Record<string, Command>> = {
  config: (world, words) => {
    for (const word of words) {
      const [name = "", value] = word.split("=");
      world.config = { ...world.config, [name]: Number(value) };
    }
  },
  founders: (world, words) => ids(words).forEach((id) => world.add(id, bootstrapState(id, ids(words)))),
  blank: (world, words) => ids(words).forEach((id) => world.add(id, BLANK_STATE)),
  node: (world, words) => world.add(one(words), storedState(words)),
  tick: (world, words) => tick(world, one(words), Number(words[1] ?? 1)),
  "lease-over": (world, words) => ids(words).forEach((id) => tick(world, id, LEASE)),
  heartbeat: (world, words) => tick(world, one(words), HEARTBEAT),
  timeout: (world, words) => timeout(world, one(words)),
  elect: (world, words) => {
    for (const node of world.nodes.values()) if (node.id !== words[0] && !node.isDown) tick(world, node.id, LEASE);
    timeout(world, one(words));
    settle(world);
  },
  propose: (world, words) => answer(world, one(words), world.act(one(words), (raft) => raft.propose(words.slice(1).map(payload)))),
  forward: (world, words) => {
    if (!world.act(one(words), (raft) => raft.forward(words.slice(1).map(payload)))) world.say(one(words), "knows no leader");
  },
  read: (world, words) => world.act(one(words), (raft) => raft.readIndex(Number(words[1]))),
  change: (world, words) => answer(world, one(words), world.act(one(words), (raft) => raft.changeMembership(target(words)))),
  transfer: (world, words) => answer(world, one(words), world.act(one(words), (raft) => raft.transferLeadership(one(words, 1)))),
  part: (world, words) => world.act(one(words), (raft) => raft.part()),
  compact: (world, words) => {
    if (!world.act(one(words), (raft) => raft.compact(Number(words[1]), payload(words[2] ?? "state")))) world.say(one(words), "makes no snapshot");
  },
  deliver: (world, words) => select(world, words).forEach((message) => world.deliver(message)),
  // The network repeats a message, or brings one that was held up: the newest of its type, or the one so many before it.
  again: (world, words) => {
    const all = world.sent(one(words), one(words, 1), words[2] ?? "");
    const message = all[all.length - 1 - Number(words[3] ?? 0)];
    if (message === undefined) throw new Error("no such message was ever sent");
    world.deliver(message);
  },
  settle: (world) => settle(world),
  drop: (world, words) => {
    for (const message of select(world, words)) message.isQueued = false;
  },
  cut: (world, words) => {
    const [first, ...rest] = ids(words);
    if (first === undefined) throw new Error("cut whom?");
    const others = rest.length > 0 ? rest : [...world.nodes.keys()].filter((id) => id !== first);
    for (const other of others) world.cut(first, other);
  },
  heal: (world) => world.heal(),
  slow: (world, words) => ids(words).forEach((id) => (world.node(id).isSlow = true)),
  fast: (world, words) => {
    for (const id of ids(words)) {
      world.node(id).isSlow = false;
      if (world.node(id).write !== undefined) world.finishWrite(id);
    }
  },
  written: (world, words) => ids(words).forEach((id) => world.finishWrite(id)),
  crash: (world, words) => ids(words).forEach((id) => world.crash(id)),
  restart: (world, words) => ids(words).forEach((id) => world.restart(id)),
  disk: (world, words) => ids(words).forEach((id) => world.sayDisk(id)),
};

/** What a command line leads to, as lines. */
function run(world: ScenarioWorld, line: string): readonly string[] {
  const words = line.split(/\s+/).filter((word) => word !== "");
  world.isQuiet = words[0] === "quietly";
  const [name = "", ...rest] = world.isQuiet ? words.slice(1) : words;
  const command = COMMANDS[name];
  world.lines = [];
  try {
    if (command === undefined) throw new Error(`unknown command ${name}`);
    command(world, rest);
  } catch (cause) {
    world.lines.push(`  ! ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return world.lines;
}

/** The same script with its answers made anew: comments and commands stay, everything else is what happens now. What can not be done becomes a line that begins with `!`. */
export function replayScenario(text: string): string {
  const world = new ScenarioWorld();
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line === "") lines.push(line);
    if (!line.startsWith(">")) continue;
    lines.push(line);
    lines.push(...run(world, line.slice(1).trim()));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
