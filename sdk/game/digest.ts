// One short word for a whole state, so that peers and runs can be compared.
import { digestHex } from "../base/index.ts";
import type { DefinedGame } from "./game.ts";

/**
 * 16 hexadecimal digits over the encoded state: equal states have equal digests, and peers whose digests differ at the same index
 * have diverged. Costs one encoding and one BLAKE2b over it. Not against an adversary.
 */
export function stateDigest<State, Action>(game: Pick<DefinedGame<State, Action>, "states">, state: State): string {
  return digestHex(game.states.encode(state));
}
