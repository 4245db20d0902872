// The game's part of a snapshot: state, the rules it was made under, and what is counted beside it.
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import type { DefinedGame } from "./game.ts";
import { RulesMismatchError } from "./errors.ts";
import { textOf } from "./fault.ts";

/** Version of the section's layout. History: 1 rules, count, time, state. */
export const GAME_SECTION_VERSION = 1;

/** The committed state of a game at one index. */
export interface GameSection<State> {
  readonly state: State;
  /** Committed commands of the game's lane so far, duplicates and illegal ones included. */
  readonly count: number;
  /** Logged time of the last of them, ms since 1970; 0 before the first. */
  readonly time: number;
}

/** Longest accepted rules text in bytes: two texts of 64 UTF-16 units at up to 3 bytes each, and the sign between. */
const RULES_BYTES_MAX = 512;

/** Bytes of a section. Throws what the game's states codec throws. */
export function encodeGameSection<State, Action>(game: DefinedGame<State, Action>, section: GameSection<State>): Uint8Array {
  return new ByteWriter().byte(GAME_SECTION_VERSION).text(game.rules).uint(section.count).uint(Math.max(0, Math.floor(section.time))).bytes(game.states.encode(section.state)).finish();
}

/** Reads a section back. Throws `RulesMismatchError` when it was made under other rules, `MalformedError` for anything else that does not fit. */
export function decodeGameSection<State, Action>(game: DefinedGame<State, Action>, bytes: Uint8Array): GameSection<State> {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== GAME_SECTION_VERSION) throw new MalformedError(`a game section of version ${version}, this SDK reads ${GAME_SECTION_VERSION}`);
  const rules = reader.text(RULES_BYTES_MAX);
  if (rules !== game.rules) throw new RulesMismatchError(game.rules, rules);
  const count = reader.uint();
  const time = reader.uint();
  const state = reader.bytes();
  reader.end();
  try {
    return { state: game.states.decode(state), count, time };
  } catch (cause) {
    throw new MalformedError(`the state in a snapshot does not decode: ${textOf(cause)}`, { cause });
  }
}
