// The swarm: every seed first draws what its world is like, before anything happens in it. Most seeds lack most faults, so that
// each kind also meets the others' absence (Groce et al., "Swarm testing").
import { below, fraction, type Random } from "../../base/index.ts";
import { raftConfig, type RaftConfig } from "../../raft/index.ts";
import { between, chance, pick, stream, STREAM } from "./draw.ts";

/** Everything that can be done to a run. */
export const FAULT_KINDS = [
  "crash-tab", "crash-power", "crash-leader-after-append", "freeze", "clock-rate", "clock-jump",
  "isolate", "split", "ring", "star", "one-way-in", "one-way-out", "random-graph", "swizzle-clog", "channel-reset", "slow-links",
  "disk-stall", "disk-full", "wipe", "membership", "transfer", "part", "lone-removal", "compact", "burst",
] as const;

/** One kind of fault or disturbance. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What one seed's world is like. All times are whole microseconds. */
export interface SimPlan {
  readonly seed: number;
  /** Voters at the start, 1 to 7. */
  readonly voters: number;
  /** The last of them is a witness. */
  readonly witness: boolean;
  /** As many voters the group is brought back to, where there are people: more than at the start when spares are to vote. */
  readonly votersWanted: number;
  /** Peers that are there from the start without being members. */
  readonly spares: number;
  readonly raft: RaftConfig;
  readonly network: {
    /** `channel`: in order and lossless until reset; `datagram`: everything goes. */
    readonly mode: "channel" | "datagram";
    readonly latencyMin: number;
    readonly latencyMax: number;
    readonly loss: number;
    readonly duplicate: number;
    /** Share of frames that arrive 0.2 to 10 seconds late (datagram only). */
    readonly late: number;
  };
  /** How often a node is asked to hold news of a commit (0 to 1), and until when at most: a loop that lets the next append carry them. */
  readonly hold: { readonly share: number; readonly max: number };
  readonly disk: { readonly writeMin: number; readonly writeMax: number };
  /** A peer compacts after this many applied entries; 0: only when told. */
  readonly snapshotEvery: number;
  readonly workload: { readonly clients: number; readonly keys: number; readonly pauseMax: number; readonly readShare: number; readonly valueBytes: number };
  /** What each disturbance is drawn from; a kind that stands here twice comes twice as often. */
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults. */
  readonly faultGap: number;
  /** When the fault phase ends; the rest of the run is for healing and judging. */
  readonly faultsEnd: number;
  /** The whole run. */
  readonly duration: number;
}

const MS = 1_000;
const SIZES = [1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7];

/** Share of seeds that are about two-voter groups: goodbyes and lone removals among the faults, and people who can become spare voters. */
const PAIR_SHARE = 0.2;
const PAIR_FAULTS: readonly FaultKind[] = ["part", "part", "lone-removal"];

interface People { readonly voters: number; readonly votersWanted: number; readonly spares: number; readonly witness: boolean }

/** Share of seeds in which one voter is a witness: two people and a witness, mostly. */
const WITNESS_SHARE = 0.2;

/** From a stream of its own: which seeds have a witness changes nothing in those that have none. */
function drawWitness(seed: number): People | undefined {
  const random = stream(seed, STREAM.witness);
  if (!chance(random, WITNESS_SHARE)) return undefined;
  const voters = pick(random, [2, 3, 3, 3, 3, 3, 4, 5]);
  return { voters, votersWanted: voters, spares: pick(random, [0, 0, 0, 1, 2]), witness: true };
}

function drawPeople(random: Random, isPair: boolean): People {
  if (isPair) return { voters: 2, votersWanted: pick(random, [2, 2, 3]), spares: pick(random, [0, 1, 1, 2]), witness: false };
  const voters = pick(random, SIZES);
  return { voters, votersWanted: voters, spares: pick(random, [0, 0, 1, 1, 2]), witness: false };
}

/** The plan of a seed; `duration` in microseconds of simulated time. */
export function drawPlan(seed: number, duration: number): SimPlan {
  const random = stream(seed, STREAM.plan);
  const isPair = chance(random, PAIR_SHARE);
  const latencyMax = pick(random, [1, 3, 10, 20, 40]) * MS;
  const writeMax = pick(random, [100, 1 * MS, 3 * MS, 10 * MS]);
  const raft = drawConfig(random, Math.ceil((2 * latencyMax + 2 * writeMax) / MS));
  // Ten election timeouts for the core to recover and ten to converge, at least.
  const healing = Math.min(duration * 0.6, 2 * 11 * raft.electionTimeoutMsMax * MS);
  const drawn = drawPeople(random, isPair);
  const people = drawWitness(seed) ?? drawn;
  return {
    seed,
    ...people,
    raft,
    network: drawNetwork(random, latencyMax),
    hold: { share: pick(random, [0, 0.5, 1]), max: pick(random, [0, 100, MS]) },
    disk: { writeMin: Math.min(100, writeMax), writeMax },
    snapshotEvery: pick(random, [0, 3, 10, 10, 40, 200]),
    workload: {
      clients: between(random, 1, 4),
      keys: between(random, 1, 5),
      pauseMax: pick(random, [100, 300, 1_000]) * MS,
      readShare: pick(random, [0.1, 0.3, 0.5]),
      valueBytes: pick(random, [0, 0, 8, 100]),
    },
    faults: [...FAULT_KINDS.filter(() => chance(random, 0.3)), ...(isPair ? PAIR_FAULTS : [])],
    // In proportion to the time the group needs to recover: never so dense that nothing can happen between two faults.
    faultGap: pick(random, [1, 2, 4]) * raft.electionTimeoutMsMax * MS,
    faultsEnd: Math.floor(duration - healing),
    duration,
  };
}

function drawNetwork(random: Random, latencyMax: number): SimPlan["network"] {
  const mode = chance(random, 0.5) ? "channel" : "datagram";
  const some = (max: number): number => (chance(random, 0.5) ? fraction(random) * max : 0);
  return { mode, latencyMin: Math.floor(latencyMax / pick(random, [1, 2, 10])), latencyMax, loss: some(0.3), duplicate: some(0.3), late: some(0.05) };
}

/** Timing that leaves room for the world's own delays, and limits that are sometimes absurdly tight. */
function drawConfig(random: Random, roundTripMs: number): RaftConfig {
  const electionTimeoutMsMin = Math.max(100, roundTripMs * pick(random, [4, 5]), between(random, 100, 300));
  const heartbeatMs = Math.floor(electionTimeoutMsMin / between(random, 3, 5));
  const commandBytesMax = 400;
  const batchBytesMax = pick(random, [1, 100, 1_000, 64 * 1024]);
  return raftConfig({
    tickMs: Math.max(1, Math.floor(heartbeatMs / between(random, 1, 3))),
    electionTimeoutMsMin,
    electionTimeoutMsMax: Math.floor(electionTimeoutMsMin * pick(random, [1.5, 2])),
    heartbeatMs,
    snapshotChunkBytes: pick(random, [100, 1_000, 16 * 1024]),
    snapshotTotalBytesMax: 1024 * 1024,
    maxTermJump: 10_000,
    // Many tiny batches under way at once would only be slow.
    inflightMax: pick(random, batchBytesMax < 1_000 ? [1, 2, 8] : [1, 2, 8, 64]),
    batchBytesMax,
    // Sometimes a single batch fills the window.
    inflightBytesMax: batchBytesMax * pick(random, [1, 2, 8]),
    uncommittedBytesMax: pick(random, [commandBytesMax, 2_000, 100_000]),
    commandBytesMax,
    proposeTimeoutMs: electionTimeoutMsMin * pick(random, [4, 10]),
  }, "lan");
}

/** One planned disturbance. It carries its own randomness, so that leaving another one out does not change what this one does. */
export interface Fault {
  /** Its place in the plan: how a shrunk run names what it leaves out. */
  readonly number: number;
  readonly at: number;
  readonly kind: FaultKind;
  readonly lasts: number;
  readonly salt: number;
}

/** The seed's disturbances in order of time. */
export function drawFaults(plan: SimPlan): Fault[] {
  const random = stream(plan.seed, STREAM.faults);
  const faults: Fault[] = [];
  if (plan.faults.length === 0) return faults;
  // The first election comes first, mostly.
  let at = chance(random, 0.1) ? 0 : 2 * plan.raft.electionTimeoutMsMax * MS;
  for (;;) {
    at += below(random, 2 * plan.faultGap);
    if (at >= plan.faultsEnd) return faults;
    const electionMs = plan.raft.electionTimeoutMsMax;
    const lasts = pick(random, [1, electionMs, 2 * electionMs, 2 * electionMs, 8 * electionMs]) * fraction(random) * MS;
    faults.push({ number: faults.length, at, kind: pick(random, plan.faults), lasts: Math.ceil(lasts), salt: random.uint32() });
  }
}
