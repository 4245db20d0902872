// The context of one action: lazily seeded randomness, and a note of what a prediction relied on.
import { digest64, seededRandom, utf8, type LogIndex, type Random } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { ActionContext, Seat } from "./game.ts";

/** Which of the values that are only guessed while an action is predicted were looked at. */
export interface ProvisionalReads {
  /** `index`, or `random`, which is seeded by it. */
  index: boolean;
  time: boolean;
}

/** What a context is made from. */
export interface ContextSource {
  readonly player: Seat;
  readonly seats: number;
  readonly index: LogIndex;
  readonly time: number;
  readonly dedupKey: DedupKey;
}

/**
 * The generator of one log entry: seeded with the digest of its index and key, so that it is the same on every peer and differs
 * between entries. Anybody who knows index and key can compute it: fair among honest peers, not against one who tries out keys.
 */
export function entryRandom(index: LogIndex, key: DedupKey): Random {
  const digest = digest64(utf8(`${index}/${key.requestId}/${key.clientId}`));
  const words = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  return seededRandom(words.getUint32(0), words.getUint32(4));
}

/**
 * A context whose getters note in `reads` what was looked at. They are the object's own enumerable fields, so that a game may
 * spread it. The generator is made on first use: hashing costs more than most moves.
 */
export function actionContext(source: ContextSource, reads: ProvisionalReads): ActionContext {
  let random: Random | undefined;
  return {
    player: source.player,
    seats: source.seats,
    get index(): LogIndex {
      reads.index = true;
      return source.index;
    },
    get time(): number {
      reads.time = true;
      return source.time;
    },
    get random(): Random {
      reads.index = true;
      random ??= entryRandom(source.index, source.dedupKey);
      return random;
    },
  };
}
