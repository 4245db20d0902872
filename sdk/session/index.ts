// Who is here: host, join, watch; seats, presence and admission, led by whoever leads.
export { decideAdmission, type AdmissionDecision, type AdmissionRequest, type AdmissionVerdict, type Admit } from "./admission.ts";
export { gameCore, gameFork, gameHost, gameJoin, gameNode, gameResume, gameSpectate, VOTERS_MAX, type GameCoreOptions, type GameForkOptions, type GameHostOptions, type GameJoinOptions, type GameNodeOptions, type GameResumeOptions, type GameSpectateOptions } from "./enter.ts";
export { AdmissionRefusedError, DuplicateHostError, JoinTimeoutError, KickedError, MovedOnError, RosterFullError, SpectateTimeoutError, SpectatorsClosedError } from "./errors.ts";
export type { Standing } from "./liveness.ts";
export type { VerifyClaim } from "./manager.ts";
export { NAME_CHARS_MAX, seatClaimText, SEATS_MAX, type Declaration, type LeadNotice, type MatchOpening, type PresenceState, type PublishedRefusal, type SeatClaim } from "./presence-state.ts";
export type { Attendee } from "./people.ts";
export { Presence, shareDoc, type Doc, type PresenceEvents, type SharedDoc } from "./presence.ts";
export { EMPTY_ROSTER, encodeRosterCommand, foldRoster, rosterLane, seatOf, type Roster, type RosterCommand, type TakenSeat, type Watcher } from "./roster.ts";
export { RosterWalk } from "./roster-walk.ts";
export type { GameSession, PageVisibility, SessionEvents, SessionOptions } from "./session.ts";
export type { OpenWitnessLink, WitnessLink, WitnessLinkRequest } from "./witness.ts";
export { storageOfGroup } from "./stored-group.ts";
export { waitFor, type WaitOptions } from "./wait.ts";
