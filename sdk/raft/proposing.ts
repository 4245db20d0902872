// The leader's front door for commands: all of a list or none of it, and never more uncommitted bytes than agreed.
import type { LogIndex, Term } from "../base/index.ts";
import type { Core } from "./core.ts";
import { ENTRY_OVERHEAD_BYTES } from "./log.ts";
import type { Refusal } from "./raft-machine.ts";
import { appendOwn } from "./replication.ts";
import { ENTRY_COMMAND } from "./types.ts";

/** Why this node can not append commands now, whatever they are. */
export function appendRefusal(core: Core): Refusal | undefined {
  if (core.parted) return "stopped";
  if (core.role !== "leader") return "not-leader";
  return core.transfer === undefined ? undefined : "transferring";
}

/** Bytes that may still be appended before something commits. */
export function appendBudget(core: Core): number {
  return core.config.uncommittedBytesMax - core.log.sizeBetween(core.commit, core.log.last);
}

/** Appends all commands, or says why none. One command always fits an idle leader. */
export function proposeCommands(core: Core, commands: readonly Uint8Array[]): { readonly first: LogIndex; readonly term: Term } | { readonly refused: Refusal } {
  const refused = appendRefusal(core);
  if (refused !== undefined) return { refused };
  let size = 0;
  for (const { length } of commands) {
    if (length > core.config.commandBytesMax) return { refused: "too-large" };
    size += length + ENTRY_OVERHEAD_BYTES;
  }
  if (size > appendBudget(core) && !(commands.length === 1 && core.log.last === core.commit)) return { refused: "busy" };
  const first = core.log.last + 1;
  for (const command of commands) appendOwn(core, ENTRY_COMMAND, command);
  return { first, term: core.term };
}
