// One committed log as the layers above see it, and the loop that runs a Raft machine to make it.
export { CLIENTS_MAX, ClientSessionTable, SERIAL_WINDOW } from "./client-sessions.ts";
export {
  BusyError, ClientIdCollisionError, ClientSessionExpiredError, LeadershipLostError, LeadershipTransferError, MembershipChangeInProgressError,
  NotLeaderError, ProposalTimeoutError, UnknownLaneError,
} from "./errors.ts";
export type { LaneReducer } from "./lane.ts";
export { LocalLog, type LocalLogOptions } from "./local-log.ts";
export {
  LANE_CLUSTER, LANE_FENCE, LANE_GAME, LANE_SESSION, type CommittedAt, type CommittedCommand, type DedupKey, type InstalledSnapshot, type LogEvent,
  type OrderedLog, type ProposeOptions,
} from "./ordered-log.ts";
export type { NodeStatus, RaftNode, RaftNodeEvents } from "./raft-node.ts";
export type { ReplicaCore, ReplicaCoreOptions, ReplicaWork, Settlement } from "./replica-core.ts";
