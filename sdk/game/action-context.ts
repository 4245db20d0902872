// The context of one action: lazily seeded randomness, and a note of what a prediction relied on.
import { digest64, seededRandom, utf8, type LogIndex, type Random } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { Roll } from "./fair-dice.ts";
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
  /** In a game with dice: what takes the place of the entry's own generator. */
  readonly random?: Random | undefined;
  /** What `random` is made of, where it is a roll of the dice. */
  readonly roll?: Roll | undefined;
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

/** What `check` and `timeout` get in a game with dice: whoever asks it for a number is told why there is none. */
export const noRandom: Random = {
  uint32: () => {
    throw new TypeError("a game with dice has no numbers here: nobody may know them yet (draw in apply, or ask for a roll with isWanted)");
  },
};

/** What `apply` gets in a game with dice before there is a roll: it notes that it was asked, and ends the attempt. */
export class AskedRandom implements Random {
  isAsked = false;

  uint32(): never {
    this.isAsked = true;
    throw new TypeError("the roll is not known yet: the action is applied when it is");
  }
}

/** The context of a committed entry: plain fields, because a replay makes two of them per turn. */
export function entryContext(source: ContextSource): ActionContext {
  const { player, seats, index, time, random, roll } = source;
  return { player, seats, index, time, random: random ?? new LazyRandom(source, undefined), roll };
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
    random: source.random ?? new LazyRandom(source, reads),
    roll: source.roll,
  };
}
