// How a transcript says things: one stable line for a message, a write, an entry, a membership. For this folder's tests.
import { fromUtf8 } from "../base/index.ts";
import { decodeMembership, isJoint } from "./membership.ts";
import type { Message } from "./message.ts";
import { ENTRY_COMMAND, ENTRY_NOOP, type Entry, type Membership } from "./types.ts";
import type { Write } from "./work.ts";

/** Longer commands are named by their first letter and their length. */
const SHOWN_BYTES_MAX = 12;

export function sayMembership(membership: Membership): string {
  const { voters, votersOutgoing, learners, learnersNext } = membership;
  const parts = [`voters ${voters.join(" ") || "nobody"}`];
  if (isJoint(membership)) parts.push(`old ${votersOutgoing.join(" ")}`);
  if (learners.length > 0) parts.push(`learners ${learners.join(" ")}`);
  if (learnersNext.length > 0) parts.push(`to learn ${learnersNext.join(" ")}`);
  return `{${parts.join(", ")}}`;
}

export function sayEntry({ index, term, kind, data }: Entry): string {
  const place = `${index}@${term}`;
  if (kind === ENTRY_NOOP) return `${place} empty`;
  if (kind !== ENTRY_COMMAND) return `${place} ${sayMembership(decodeMembership(data))}`;
  const text = fromUtf8(data);
  return `${place} ${text.length > SHOWN_BYTES_MAX ? `${text.slice(0, 1)}… (${text.length} bytes)` : text}`;
}

export function sayEntries(entries: readonly Entry[]): string {
  return entries.length === 0 ? "nothing" : entries.map(sayEntry).join(", ");
}

/** What a write makes durable, in the order it means it. */
export function sayWrite({ hardState, truncateAfter, entries, snapshot }: Write): string {
  const parts: string[] = [];
  if (snapshot !== undefined) parts.push(`snapshot through ${snapshot.index}`);
  if (truncateAfter !== undefined) parts.push(`cut after ${truncateAfter}`);
  if (entries.length > 0) parts.push(sayEntries(entries));
  if (hardState !== undefined) parts.push(`term ${hardState.term}, vote ${hardState.vote ?? "nobody"}`);
  return parts.join("; ") || "nothing";
}

function last(index: number, term: number): string {
  return `log ends ${index}@${term}`;
}

export function sayMessage(message: Message): string {
  return `${message.type} t${message.term}${sayFields(message)}`;
}

function sayFields(message: Message): string {
  switch (message.type) {
    case "pre-vote":
      return `, ${last(message.lastIndex, message.lastTerm)}`;
    case "vote":
      return `, ${last(message.lastIndex, message.lastTerm)}${message.transfer ? ", asked by the leader" : ""}`;
    case "pre-vote-reply":
    case "vote-reply":
      return message.granted ? " yes" : " no";
    case "append":
      return ` after ${message.prevIndex}@${message.prevTerm}: ${sayEntries(message.entries)}; commit ${message.commit}`;
    case "append-reply":
      return message.ok ? ` has ${message.index}` : ` differs at ${message.index}, try after ${message.hintIndex}@${message.hintTerm}`;
    case "heartbeat":
      return `, commit ${message.commit}${message.round === 0 ? " (notice)" : `, round ${message.round}`}`;
    case "heartbeat-reply":
      return `, round ${message.round}`;
    case "snapshot-chunk":
      return ` through ${message.index}@${message.indexTerm}, bytes ${message.offset}+${message.bytes.length} of ${message.total}, ${sayMembership(message.membership)}`;
    case "snapshot-reply":
      return ` through ${message.index}, ${message.installed ? "installed" : `holds ${message.offset} bytes`}`;
    case "forward":
      return `: ${message.commands.map((command) => fromUtf8(command)).join(" ")}`;
    case "forward-reply":
      return `, ${message.accepted} taken, ${message.refused} refused: ${message.reason}`;
    case "read":
      return "";
    case "read-reply":
      return message.ok ? `, index ${message.index}` : ", not confirmed";
    case "parting-grant":
      return `, ${last(message.lastIndex, message.lastTerm)}, commit ${message.commit}`;
    case "timeout-now":
      return "";
    default:
      return "";
  }
}
