// Consensus as a pure machine: a tick or a message in, one list of work out.
export { APPEND_ENTRIES_MAX, decodeEntry, decodeMessage, decodeMessageFrom, encodeEntry, encodeMessage, FORWARD_COMMANDS_MAX, PROTOCOL_VERSION, writeMessage } from "./codec.ts";
export { BROWSER_CONFIG, LAN_CONFIG, RAFT_PRESETS, raftConfig, type RaftConfig } from "./config.ts";
export { CorruptStateError } from "./errors.ts";
export { decodeMembership, EMPTY_MEMBERSHIP, encodeMembership, isJoint, isMember, isVoter, membersOf, MEMBERS_MAX, readMembership, sameMembership, writeMembership } from "./membership.ts";
export type {
  Addressed, AppendReply, AppendRequest, ForwardReply, ForwardRequest, Heartbeat, HeartbeatReply, Message, PartingGrant, PreVoteReply, PreVoteRequest,
  ReadReply, ReadRequest, SnapshotChunk, SnapshotReply, TimeoutNow, VoteReply, VoteRequest,
} from "./message.ts";
export { PackedEntries, type EntryColumns, type PackedEntry, type PackedRun, type StoredState } from "./packed-entries.ts";
export { jointIndex, jointVote, majority, majorityIndex, majorityVote, type VoteResult } from "./quorum.ts";
export type { Goodbye, RaftMachine, RaftMetrics, RaftOptions, Refusal, TraceEvent } from "./raft-machine.ts";
export { Raft } from "./raft.ts";
export { BLANK_STATE, bootstrapState } from "./restore.ts";
export { traceLine } from "./trace-line.ts";
export {
  ENTRY_COMMAND, ENTRY_MEMBERSHIP, ENTRY_NOOP, type Entry, type EntryKind, type HardState, type Membership, type MembershipTarget, type RestoredState, type Role, type Snapshot,
} from "./types.ts";
export { isWitness, witnessId } from "./witness.ts";
export type { ReadResult, Work, WorkOptions, Write } from "./work.ts";
