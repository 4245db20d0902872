// Last line before the machine: numbers a remote peer controls must be whole, non-negative and safe, whatever decoder they came through.
import type { Message } from "./message.ts";

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Terms beyond this are never believed, not even by a blank node: there must always be room to count on. */
const TERM_MAX = 2 ** 50;

/** Why the message can not come from a correct peer, looking at nothing but itself; undefined when it can. Entries are checked where they are taken. */
export function messageFault(message: Message): string | undefined {
  if (!isCount(message.term) || message.term > TERM_MAX) return "bad-term";
  return fieldsAreCounts(message) ? undefined : "bad-number";
}

function fieldsAreCounts(message: Message): boolean {
  switch (message.type) {
    case "pre-vote":
    case "vote":
      return isCount(message.lastIndex) && isCount(message.lastTerm) && message.lastTerm < message.term;
    case "append":
      return isCount(message.prevIndex) && isCount(message.prevTerm) && isCount(message.commit);
    case "append-reply":
      return isCount(message.index) && isCount(message.hintIndex) && isCount(message.hintTerm);
    case "heartbeat":
      return isCount(message.commit) && isCount(message.round);
    case "heartbeat-reply":
      return isCount(message.round);
    case "snapshot-chunk":
      return isCount(message.index) && isCount(message.indexTerm) && isCount(message.time) && isCount(message.total) && isCount(message.offset);
    case "snapshot-reply":
      return isCount(message.index) && isCount(message.offset);
    case "forward-reply":
      return isCount(message.accepted) && isCount(message.refused);
    case "read":
      return isCount(message.id);
    case "read-reply":
      return isCount(message.id) && isCount(message.index);
    case "parting-grant":
      return isCount(message.lastIndex) && isCount(message.lastTerm) && isCount(message.commit);
    case "pre-vote-reply":
    case "vote-reply":
    case "forward":
    case "timeout-now":
      return true;
    default:
      // A type that is none: the fields of nothing are in order, but nobody handles it.
      return false;
  }
}
