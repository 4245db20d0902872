// The front door: everything a game needs, by name. Also the global `Flotilla` of the script-tag build. Deeper parts have doors of their own, such as flotilla/raft.
export {
  below, ClosedError, hasCode, InvalidArgumentError, jsonCodec, MalformedError, PayloadTooLargeError, peerId, SdkError, seededRandom, silentLogger,
  type Clock, type Codec, type Logger, type LogIndex, type PeerId, type Random,
} from "./base/index.ts";
export type { MatchCluster, MatchClusterOptions, OwnedShard, ScopedClient, ShardClient } from "./cluster/index.ts";
export {
  createGameStore, decodeRecording, defineGame, encodeRecording, fairDice, ImpureGameError, InvalidActionError, isOpening, OutcomeUnknownError, replay, replaySteps, RulesMismatchError, seal, SpeculativeSequencer,
  stateDigest, TurnSequencer,
  type ActionContext, type DefinedGame, type DiceState, type Divergence, type EventContext, type Game, type GameClock, type GameDice, type GameReport, type GameReportKind, type GameStore, type Opening, type Outcome, type Recording, type Roll, type SealContext, type Sealed, type Seat, type SetupContext, type StandardSchema, type UndoAnswer,
} from "./game/index.ts";
export { WrongPassphraseError } from "./identity/index.ts";
export { coreRoomOf, exportMatch, importMatch, openMatch, WrongPasswordError, type CorePlacement, type ImportedMatch, type Invite, type Match, type MatchBetween, type MatchOptions, type MatchPhase, type MatchPlayer, type MatchStart, type MatchStatus, type PlayOutcome } from "./open-match.ts";
export { randomId, systemClock, systemRandom } from "./platform/index.ts";
export { CorruptStateError, raftConfig, type RaftConfig } from "./raft/index.ts";
export {
  BusyError, LANE_GAME, LeadershipLostError, LocalLog, NotLeaderError, ProposalTimeoutError,
  type CommittedAt, type CommittedCommand, type DedupKey, type LogEvent, type NodeStatus, type OrderedLog, type ProposeOptions, type RaftNode,
} from "./replica/index.ts";
export {
  BroadcastChannelSignaling, combineSignaling, ManualSignaling, ManualStringError, MuxSeam, NamedMux, NatTraversalError, PeerNotConnectedError, PeerNotProvenError, SeamTornError, SelfSendError, WebSocketSignaling,
  type ManualSignalingOptions, type ManualStepOptions, type Seam, type SeamEvents, type SeamState, type SendOptions, type Signaling, type SignalingFactory,
} from "./seam/index.ts";
export { DEFAULT_ICE_SERVERS, WebRtcSeam, type WebRtcSeamOptions } from "./seam/webrtc/index.ts";
export {
  AdmissionRefusedError, DuplicateHostError, gameHost, gameJoin, gameNode, gameSpectate, JoinTimeoutError, KickedError, RosterFullError, seatOf, shareDoc, SpectateTimeoutError, SpectatorsClosedError,
  type AdmissionRequest, type AdmissionVerdict, type Admit, type GameHostOptions, type GameJoinOptions, type GameNodeOptions, type GameSession, type GameSpectateOptions,
  type Roster, type SessionOptions,
} from "./session/index.ts";
