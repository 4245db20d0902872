// Options and limits, validated once. Milliseconds outside, ticks inside: the machine never sees a clock.
import { InvalidArgumentError } from "../base/index.ts";

/** Timing and limits of one Raft group. All members should use the same values. */
export interface RaftConfig {
  /** Length of one tick, ms. All other times are rounded up to ticks. */
  readonly tickMs: number;
  /** A follower that hears nothing for a random time between these two campaigns, ms. */
  readonly electionTimeoutMsMin: number;
  readonly electionTimeoutMsMax: number;
  /** Pause between a leader's heartbeats, ms; less than `electionTimeoutMsMin`. */
  readonly heartbeatMs: number;
  /** A snapshot travels in pieces of this size, bytes. */
  readonly snapshotChunkBytes: number;
  /** A larger snapshot is neither made nor accepted, bytes. */
  readonly snapshotTotalBytesMax: number;
  /** A frame whose term is further ahead than this is dropped: no stranger can exhaust the terms. */
  readonly maxTermJump: number;
  /** Append messages under way to one follower before the leader waits for an acknowledgement. */
  readonly inflightMax: number;
  /** Entries of appends under way to one follower before the leader waits for an acknowledgement, bytes (a single larger append still travels alone). */
  readonly inflightBytesMax: number;
  /** Entries of one append message together, bytes (a single larger entry still travels alone). */
  readonly batchBytesMax: number;
  /** Proposals beyond this many uncommitted bytes are refused, bytes. */
  readonly uncommittedBytesMax: number;
  /** The largest single command, bytes. */
  readonly commandBytesMax: number;
  /** A proposal that has not committed after this time is reported as timed out (it may still commit), ms. */
  readonly proposeTimeoutMs: number;
}

/** For tests and servers on one network: failover in a quarter of a second. */
export const LAN_CONFIG: RaftConfig = {
  tickMs: 10,
  electionTimeoutMsMin: 150,
  electionTimeoutMsMax: 300,
  heartbeatMs: 50,
  snapshotChunkBytes: 16 * 1024,
  snapshotTotalBytesMax: 64 * 1024 * 1024,
  maxTermJump: 10_000,
  inflightMax: 64,
  inflightBytesMax: 512 * 1024,
  batchBytesMax: 64 * 1024,
  uncommittedBytesMax: 4 * 1024 * 1024,
  commandBytesMax: 256 * 1024,
  proposeTimeoutMs: 5_000,
};

/** For tabs: a hidden page wakes only once a second, so a follower must sit out more than one such gap; a crash is still noticed within 3 s. */
export const BROWSER_CONFIG: RaftConfig = {
  ...LAN_CONFIG,
  tickMs: 50,
  electionTimeoutMsMin: 1_600,
  electionTimeoutMsMax: 2_600,
  heartbeatMs: 300,
  proposeTimeoutMs: 15_000,
};

/** The two presets by name. */
export const RAFT_PRESETS: { readonly lan: RaftConfig; readonly browser: RaftConfig } = { lan: LAN_CONFIG, browser: BROWSER_CONFIG };

/** Fills in what is missing from a preset (default `browser`) and checks everything. Throws `InvalidArgumentError` naming both operands. */
export function raftConfig(overrides: Partial<RaftConfig> = {}, preset: keyof typeof RAFT_PRESETS = "browser"): RaftConfig {
  const config: RaftConfig = { ...RAFT_PRESETS[preset], ...overrides };
  for (const [name, value] of Object.entries(config)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError(`RaftConfig.${name} must be a whole number from 1, got ${String(value)}`);
  }
  const least = (small: keyof RaftConfig, large: keyof RaftConfig, strictly: boolean): void => {
    const holds = strictly ? config[small] < config[large] : config[small] <= config[large];
    if (!holds) throw new InvalidArgumentError(`RaftConfig.${small} (${config[small]}) must be ${strictly ? "less than" : "at most"} ${large} (${config[large]})`);
  };
  least("tickMs", "heartbeatMs", false);
  least("heartbeatMs", "electionTimeoutMsMin", true);
  least("electionTimeoutMsMin", "electionTimeoutMsMax", false);
  least("snapshotChunkBytes", "snapshotTotalBytesMax", false);
  least("commandBytesMax", "uncommittedBytesMax", false);
  least("batchBytesMax", "inflightBytesMax", false);
  return config;
}
