// From a settlement of the core to what the caller's promise does: one place that knows every error.
import { ClosedError, InvalidArgumentError, PayloadTooLargeError, type LogIndex, type PeerId } from "../base/index.ts";
import {
  BusyError, ClientIdCollisionError, ClientSessionExpiredError, LeadershipLostError, LeadershipTransferError, MembershipChangeInProgressError, NotLeaderError, ProposalTimeoutError, WithdrawnError,
} from "./errors.ts";
import type { DedupKey } from "./ordered-log.ts";
import type { RefusalReason, Settlement } from "./replica-core.ts";

/** What was asked. */
export type Request =
  | { readonly kind: "propose"; readonly key: DedupKey; readonly bytes: number; readonly deadlineMs: number | undefined }
  | { readonly kind: "read" }
  | { readonly kind: "change" }
  | { readonly kind: "transfer"; readonly to: PeerId };

/** What the errors mention. */
export interface Circumstances {
  readonly leader: PeerId | undefined;
  readonly timeoutMs: number;
  readonly commandBytesMax: number;
}

const NAMES: { readonly [K in Request["kind"]]: string } = { propose: "the proposal", read: "the read", change: "the membership change", transfer: "the transfer" };

/** The index a request ended with (0 for a transfer), or the error it failed with. */
export function outcomeOf(request: Request, settlement: Settlement, now: Circumstances): { readonly index: LogIndex } | { readonly error: Error } {
  switch (settlement.outcome) {
    case "committed":
    case "read":
      return { index: settlement.index };
    case "done":
      return { index: 0 };
    case "collision":
      return { error: request.kind === "propose" ? new ClientIdCollisionError(request.key.clientId, request.key.requestId) : new InvalidArgumentError("a collision of no proposal") };
    case "unknown": {
      if (settlement.reason === "leadership-lost") return { error: new LeadershipLostError(NAMES[request.kind]) };
      const { deadlineMs, key } = request.kind === "propose" ? request : { deadlineMs: undefined, key: undefined };
      return { error: new ProposalTimeoutError(NAMES[request.kind], deadlineMs ?? now.timeoutMs, key?.requestId) };
    }
    case "refused":
      return { error: refusalError(request, settlement.reason, now) };
  }
}

function refusalError(request: Request, reason: RefusalReason, now: Circumstances): Error {
  if (request.kind === "transfer" && (reason === "invalid-target" || reason === "transfer-failed" || reason === "transferring")) return new LeadershipTransferError(request.to, TRANSFER_WHY[reason]);
  switch (reason) {
    case "not-leader":
      return new NotLeaderError(now.leader);
    case "busy":
      return new BusyError("too much is under way");
    case "transferring":
      return new BusyError("leadership is being handed over");
    case "too-large":
      return new PayloadTooLargeError(request.kind === "propose" ? request.bytes : 0, now.commandBytesMax, "command");
    case "change-in-progress":
      return new MembershipChangeInProgressError();
    case "invalid-target":
      return new InvalidArgumentError("a membership has at least one voter, no peer twice, and nobody who both votes and learns");
    case "client-session-expired":
      return new ClientSessionExpiredError(request.kind === "propose" ? request.key.clientId : "");
    case "transfer-failed":
      return new BusyError("the transfer failed");
    case "withdrawn":
      return new WithdrawnError();
    case "stopped":
      return new ClosedError("the node");
  }
}

const TRANSFER_WHY = { "invalid-target": "it is no other voter of this group", "transfer-failed": "it did not take over within an election timeout", transferring: "another transfer is under way" } as const;
