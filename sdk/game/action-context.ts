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
export function entryRandom(index: LogIndex, key: DedupKey, part = ""): Random {
  const digest = digest64(utf8(`${index}/${key.requestId}/${key.clientId}${part}`));
  const words = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  return seededRandom(words.getUint32(0), words.getUint32(4));
}

/** The generator of an entry, seeded when the first number is drawn: hashing costs more than most moves, and most moves roll no dice. */
class LazyRandom implements Random {
  readonly #source: ContextSource;
  readonly #reads: ProvisionalReads | undefined;
  #random: Random | undefined;

  constructor(source: ContextSource, reads: ProvisionalReads | undefined) {
    this.#source = source;
    this.#reads = reads;
  }

  uint32(): number {
    if (this.#reads !== undefined) this.#reads.index = true;
    this.#random ??= entryRandom(this.#source.index, this.#source.dedupKey);
    return this.#random.uint32();
  }
}

/** The context of a committed entry: plain fields, because a replay makes two of them per turn. */
export function entryContext(source: ContextSource): ActionContext {
  const { player, seats, index, time } = source;
  return { player, seats, index, time, random: new LazyRandom(source, undefined) };
}

/** The context of a prediction: it notes in `reads` what was looked at. Its getters are own enumerable fields, so that a game may spread either context. */
export function predictionContext(source: ContextSource, reads: ProvisionalReads): ActionContext {
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
    random: new LazyRandom(source, reads),
  };
}
