// A witness: a voter that holds the shape of the log and none of its content. What is special about it stands here; why that is safe, in SPEC.md.
import { InvalidArgumentError, isPeerId, NO_BYTES, type PeerId } from "../base/index.ts";
import type { Message } from "./message.ts";
import { ENTRY_COMMAND, type Entry, type Snapshot } from "./types.ts";

/** Ids that begin like this are witnesses'. Ids derived from keys have no colon, so no tab that proves its id can have such a one. */
const WITNESS_PREFIX = "witness:";

/** True when `id` is a witness's: by its name alone, so that everybody agrees at every moment, and for ever (RF130). */
export function isWitness(id: PeerId): boolean {
  return id.startsWith(WITNESS_PREFIX) && id.length > WITNESS_PREFIX.length;
}

/** The id of the witness called `name`, which must never have been used for another one. Throws `InvalidArgumentError` when it can not be part of a peer id. */
export function witnessId(name: string): PeerId {
  const id = `${WITNESS_PREFIX}${name}`;
  if (name === "" || !isPeerId(id)) throw new InvalidArgumentError(`a witness has a name that can stand in a peer id, got ${JSON.stringify(name.slice(0, 140))}`);
  return id;
}

/** Why these can not be the voters of a group, as far as witnesses go, or undefined: more than one could decide without anybody who holds the content (RF131). */
export function witnessesFault(voters: readonly PeerId[]): string | undefined {
  let witnesses = 0;
  for (const voter of voters) if (isWitness(voter)) witnesses += 1;
  if (witnesses > 1) return "there are two witnesses";
  return witnesses > 0 && witnesses === voters.length ? "a witness votes alone" : undefined;
}

/** The entries as a witness holds them: memberships whole, of commands everything but their bytes (RF132). The same list when there is nothing to leave out. */
export function withoutContent(entries: readonly Entry[]): readonly Entry[] {
  const hasContent = (entry: Entry): boolean => entry.kind === ENTRY_COMMAND && entry.data.length > 0;
  return entries.some(hasContent) ? entries.map((entry) => (hasContent(entry) ? { ...entry, data: NO_BYTES } : entry)) : entries;
}

/** The snapshot as a witness gets it: where it stands and who was a member there. */
export function withoutState(snapshot: Snapshot): Snapshot {
  return { ...snapshot, data: NO_BYTES };
}

const ANSWERS: ReadonlySet<Message["type"]> = new Set(["pre-vote-reply", "vote-reply", "append-reply", "heartbeat-reply", "snapshot-reply"] as const);
const ASKED_OF_WITNESSES: ReadonlySet<Message["type"]> = new Set(["pre-vote", "vote", "append", "heartbeat", "snapshot-chunk"] as const);

/** Why a message to or from a witness is not heard, or undefined: it answers, and does nothing else (RF133, RF134). */
export function witnessFault(to: { readonly isWitness: boolean }, from: PeerId, { type }: Message): string | undefined {
  if (isWitness(from) && !ANSWERS.has(type)) return "from-a-witness";
  return to.isWitness && !ASKED_OF_WITNESSES.has(type) ? "not-for-a-witness" : undefined;
}
