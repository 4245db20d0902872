// One committed log as the layers above see it, and the loop that runs a Raft machine to make it.
export { CLIENTS_MAX, ClientSessionTable, SERIAL_WINDOW } from "./client-sessions.ts";
export {
  BusyError, ClientIdCollisionError, ClientSessionExpiredError, LeadershipLostError, LeadershipTransferError, MembershipChangeInProgressError,
  NotLeaderError, ProposalTimeoutError, UnknownLaneError, WithdrawnError,
} from "./errors.ts";
export { createReplicaCore } from "./core.ts";
export { FEED_FAN_OUT, type FeedRules, type FeedStatus } from "./feeding.ts";
export type { LaneReducer } from "./lane.ts";
export { LocalLog, type LocalLogOptions } from "./local-log.ts";
export type { StorageHealth } from "./disk.ts";
export { exportedEvents, foldedExport, type FoldedExport } from "./export-content.ts";
export { readExport, type ExportedLog } from "./log-export.ts";
export type { NodeChannel } from "./node-channel.ts";
export {
  LANE_CLUSTER, LANE_FENCE, LANE_GAME, LANE_SESSION, type CommittedAt, type CommittedCommand, type DedupKey, type InstalledSnapshot, type LogEvent,
  type OrderedLog, type ProposeOptions,
} from "./ordered-log.ts";
export type { NodeStatus, RaftNode, RaftNodeEvents } from "./raft-node.ts";
export { emptyLayout, RAFT_RECORDS, restoreFrom, writeToOps, type LogLayout } from "./raft-log-store.ts";
export { openRecord, sealRecord } from "./record.ts";
export { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";
export type { ResumedCommand } from "./resumed.ts";
export type { ProposedCommand, ProposeHints, RefusalReason, ReplicaCore, ReplicaCoreOptions, ReplicaWork, Settlement } from "./replica-core.ts";
export { WitnessCore, witnessGroupOf, type WitnessCoreOptions, type WitnessWork } from "./witness-core.ts";
// The words of the machine that the layers above need: they see it only through this door.
export { BROWSER_CONFIG, CorruptStateError, LAN_CONFIG, RAFT_PRESETS, isWitness, raftConfig, witnessId, type Membership, type MembershipTarget, type RaftConfig, type RaftMetrics, type Role, type TraceEvent } from "../raft/index.ts";
