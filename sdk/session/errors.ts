// Why a session could not be opened, or ended.
import { SdkError, type PeerId } from "../base/index.ts";

/** Somebody else hosts here. `code` is `duplicate-host`: join instead. `host` is who. */
export class DuplicateHostError extends SdkError {
  readonly host: PeerId;

  constructor(host: PeerId) {
    super("duplicate-host", `${host} already hosts here: join instead`);
    this.name = "DuplicateHostError";
    this.host = host;
  }
}

/** Every seat is taken and admission is closed. `code` is `roster-full`: watch instead, or try another room. */
export class RosterFullError extends SdkError {
  readonly seats: number;

  constructor(seats: number) {
    super("roster-full", `all ${seats} seats are taken: watch instead, or use another room`);
    this.name = "RosterFullError";
    this.seats = seats;
  }
}

/** Nobody admitted this peer in time. `code` is `join-timeout`: is somebody hosting, and can the peers reach each other? */
export class JoinTimeoutError extends SdkError {
  constructor(ms: number, heard: string) {
    super("join-timeout", `not admitted within ${ms} ms: ${heard}`);
    this.name = "JoinTimeoutError";
  }
}

/** The match takes no spectators. `code` is `spectators-closed`. */
export class SpectatorsClosedError extends SdkError {
  constructor() {
    super("spectators-closed", "this match takes no spectators");
    this.name = "SpectatorsClosedError";
  }
}

/** Nobody let this spectator in in time. `code` is `spectate-timeout`. */
export class SpectateTimeoutError extends SdkError {
  constructor(ms: number, heard: string) {
    super("spectate-timeout", `not let in to watch within ${ms} ms: ${heard}`);
    this.name = "SpectateTimeoutError";
  }
}

/** The match this peer came back to has no leader any more, and the room plays another one. `code` is `moved-on`: join that. */
export class MovedOnError extends SdkError {
  constructor() {
    super("moved-on", "nobody leads the match this peer came back to, and the room plays another: join it");
    this.name = "MovedOnError";
  }
}

/** This peer was put out of the match for good. `code` is `kicked`. */
export class KickedError extends SdkError {
  readonly reason: string;

  constructor(reason: string) {
    super("kicked", reason === "" ? "put out of the match" : `put out of the match: ${reason}`);
    this.name = "KickedError";
    this.reason = reason;
  }
}

/** The game's own `admit` said no. `code` is `admission-refused`; `reason` is what it said, to show to the player. */
export class AdmissionRefusedError extends SdkError {
  readonly reason: string;

  constructor(reason: string) {
    super("admission-refused", `not admitted: ${reason}`);
    this.name = "AdmissionRefusedError";
    this.reason = reason;
  }
}
