// Why a match can not do what it was asked for.
import { SdkError } from "./base/index.ts";

/** The match can still decide, so nobody goes on without the others. `code` is `quorum-present`: kick whoever is gone instead. */
export class QuorumPresentError extends SdkError {
  constructor() {
    super("quorum-present", "a majority of the match is here: it goes on by itself, and kick() puts out who is gone");
    this.name = "QuorumPresentError";
  }
}

/** This tab has no vote, so it may lack what was decided without it. `code` is `not-a-voter`: a tab that votes has to go on instead. */
export class NotAVoterError extends SdkError {
  constructor() {
    super("not-a-voter", "this tab has no vote in the match and may lack what was decided: only a voter can go on without the others");
    this.name = "NotAVoterError";
  }
}

/** Others are in the room, and nothing they say opens with what this tab was given. `code` is `wrong-password`: ask them again, or open a room of your own. */
export class WrongPasswordError extends SdkError {
  constructor() {
    super("wrong-password", "the others in this room have another password: ask them for it, or open a room of your own");
    this.name = "WrongPasswordError";
  }
}
