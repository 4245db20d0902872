// Commands that a member hands to the leader. The sender keeps them until it sees them committed; here they are appended or refused by count.
import type { PeerId } from "../base/index.ts";
import type { Core } from "./core.ts";
import { ENTRY_OVERHEAD_BYTES } from "./log.ts";
import { isMember } from "./membership.ts";
import type { ForwardReply, ForwardRequest } from "./message.ts";
import { appendBudget, appendRefusal } from "./proposing.ts";
import { appendOwn } from "./replication.ts";
import { ENTRY_COMMAND } from "./types.ts";

/** Takes the longest prefix that fits; the rest is refused, so the sender's order is kept. */
export function onForward(core: Core, from: PeerId, request: ForwardRequest): void {
  if (!isMember(core.membership, from)) return core.drop("not-a-member", from, request);
  if (request.commands.some((command) => command.length > core.config.commandBytesMax)) return core.drop("command-too-large", from, request);
  const refusal = appendRefusal(core);
  if (refusal !== undefined) return refuse(core, from, { accepted: 0, refused: request.commands.length, reason: refusal === "transferring" ? "transferring" : "not-leader" });
  let budget = appendBudget(core);
  let accepted = 0;
  for (const command of request.commands) {
    budget -= command.length + ENTRY_OVERHEAD_BYTES;
    if (budget < 0 && core.log.last !== core.commit) break;
    appendOwn(core, ENTRY_COMMAND, command);
    accepted += 1;
  }
  if (accepted < request.commands.length) refuse(core, from, { accepted, refused: request.commands.length - accepted, reason: "busy" });
}

function refuse(core: Core, to: PeerId, answer: Pick<ForwardReply, "accepted" | "refused" | "reason">): void {
  core.send(to, { type: "forward-reply", term: core.term, ...answer });
}

/** What a leader did not take: the layer above tries again. */
export function onForwardReply(core: Core, from: PeerId, reply: ForwardReply): void {
  if (!isMember(core.membership, from)) return core.drop("not-a-member", from, reply);
  core.refusedForwards.push({ from, accepted: reply.accepted, refused: reply.refused });
}
