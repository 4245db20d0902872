// How requests to a node fail. Each `code` is stable; each message says what to do next.
import { SdkError, type PeerId } from "../base/index.ts";

/** Only the leader can do this. `code` is `not-leader`; ask the peer in `leader`, or wait for one. Nothing happened. */
export class NotLeaderError extends SdkError {
  /** Who leads, as far as this node knows. */
  readonly leader: PeerId | undefined;

  constructor(leader: PeerId | undefined) {
    super("not-leader", leader === undefined ? "this node does not lead and knows no leader: wait for one" : `this node does not lead: ask ${leader}`);
    this.name = "NotLeaderError";
    this.leader = leader;
  }
}

/** Leadership ended before the request did. `code` is `leadership-lost`; the outcome is unknown: retry with the same requestId. */
export class LeadershipLostError extends SdkError {
  constructor(what: string) {
    super("leadership-lost", `leadership was lost before ${what} was settled: it may or may not have happened, retry with the same requestId`);
    this.name = "LeadershipLostError";
  }
}

/** No answer in `proposeTimeoutMs`. `code` is `proposal-timeout`; the outcome is unknown: retry with the same requestId. */
export class ProposalTimeoutError extends SdkError {
  /** The serial to retry with; undefined when the request was no proposal. */
  readonly requestId: number | undefined;

  constructor(what: string, timeoutMs: number, requestId?: number) {
    super("proposal-timeout", `${what} was not settled within ${timeoutMs} ms: it may still happen${requestId === undefined ? "" : `, retry with requestId ${requestId}`}`);
    this.name = "ProposalTimeoutError";
    this.requestId = requestId;
  }
}

/** The caller took a proposal back before it had left this node. `code` is `withdrawn`; it never happens. */
export class WithdrawnError extends SdkError {
  constructor() {
    super("withdrawn", "the proposal was taken back before it had left this node: it never happens");
    this.name = "WithdrawnError";
  }
}

/** Too much is under way already. `code` is `busy`; nothing happened: wait for something to commit, then try again. */
export class BusyError extends SdkError {
  constructor(what: string) {
    super("busy", `${what}: wait for something to commit, then try again`);
    this.name = "BusyError";
  }
}

/** Another membership change is not finished. `code` is `membership-change-in-progress`; nothing happened: wait for it. */
export class MembershipChangeInProgressError extends SdkError {
  constructor() {
    super("membership-change-in-progress", "another membership change is under way: wait until it is committed");
    this.name = "MembershipChangeInProgressError";
  }
}

/** Nobody took over within an election timeout. `code` is `leadership-transfer`; this node may go on leading. */
export class LeadershipTransferError extends SdkError {
  constructor(to: PeerId, why: string) {
    super("leadership-transfer", `leadership did not move to ${to}: ${why}`);
    this.name = "LeadershipTransferError";
  }
}

/**
 * Somebody else writes under this node's client id, so that neither knows which of its commands were applied. `code` is
 * `client-id-collision`: close one of the two, and open it again under an id of its own.
 */
export class ClientIdCollisionError extends SdkError {
  readonly clientId: string;

  constructor(clientId: string, requestId: number) {
    super("client-id-collision", `two live writers use client id ${JSON.stringify(clientId)} (both used requestId ${requestId}): give each its own`);
    this.name = "ClientIdCollisionError";
    this.clientId = clientId;
  }
}

/**
 * The group forgot this client, because more than CLIENTS_MAX others wrote since. `code` is `client-session-expired`; nothing was applied:
 * open the node again under a new client id.
 */
export class ClientSessionExpiredError extends SdkError {
  constructor(clientId: string) {
    super("client-session-expired", `the group has forgotten client id ${JSON.stringify(clientId)}: open again under a new one`);
    this.name = "ClientSessionExpiredError";
  }
}

/** The log holds something this build can not apply. `code` is `unknown-lane`: load the newer version of the page. */
export class UnknownLaneError extends SdkError {
  readonly lane: number;

  constructor(lane: number, where: string) {
    super("unknown-lane", `${where} uses lane ${lane}, which this version does not know: load a newer one`);
    this.name = "UnknownLaneError";
    this.lane = lane;
  }
}
