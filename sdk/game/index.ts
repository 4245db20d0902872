// The door of the game layer: rules, turns, speculation, atoms, replay.
export { defineGame, RULES_CHARS_MAX } from "./define-game.ts";
export { stateDigest } from "./digest.ts";
export { DigestExchange, type DigestAt, type DigestExchangeOptions, type Divergence } from "./digest-exchange.ts";
export { ImpureGameError, OutcomeUnknownError, RulesMismatchError } from "./errors.ts";
export { cutRecording, decodeRecording, encodeRecording, RECORDING_TURNS_MAX, RECORDING_VERSION, type RecordedTurn, type Recording } from "./recording.ts";
export { Recorder, type RecorderOptions } from "./recorder.ts";
export { replay, replaySteps, type ReplayStep } from "./replay.ts";
export { decodeGameSection, encodeGameSection, GAME_SECTION_VERSION, type GameSection } from "./game-section.ts";
export type { ActionContext, DefinedGame, Game, Seat, SetupContext } from "./game.ts";
export type { CommittedOutcome, Outcome, RejectedOutcome, RejectionReason } from "./outcome.ts";
export type { GameReport, GameReportKind } from "./report.ts";
export { PENDING_MAX, SpeculativeSequencer, UNKNOWN_RETRIES_MAX, type PendingAction, type ResumedAction, type SpeculativeEvents, type SpeculativeSequencerOptions, type UndoAnswer } from "./speculative-sequencer.ts";
export { InvalidActionError, type StandardIssue, type StandardResult, type StandardSchema } from "./standard-schema.ts";
export { createGameStore, type GameStore } from "./store.ts";
export { TurnSequencer, type EncodedAction, type ProposedTurn, type Submission, type TurnProposeOptions, type TurnSequencerOptions } from "./turn-sequencer.ts";
export type { CommittedTurn, GameReset, Turn, TurnEvent } from "./turn.ts";
