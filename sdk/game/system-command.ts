// Commands of the game's lane that no player plays: time has passed, a contribution to the dice is promised or shown. Only games with a clock or dice have them.
import { concatBytes, MalformedError, type Codec } from "../base/index.ts";

/** Bytes of a contribution to the dice and of its commitment. */
export const CONTRIBUTION_BYTES = 16;

/** A command of the table itself. Whoever proposes it, its effect follows from the log alone. */
export type SystemCommand =
  /** Whatever is due by the logged time of this entry happens now. */
  | { readonly type: "tick" }
  /** The proposer's seat will contribute what hashes to `tip`, then what hashes to that, and so on. */
  | { readonly type: "commit"; readonly tip: Uint8Array }
  /** The proposer's seat shows its contribution to the open roll. */
  | { readonly type: "reveal"; readonly value: Uint8Array };

/** Whoever folds the log beside the game says that it begins anew here: no bytes of the game's lane, so that nobody can propose it there. */
export interface BeginCommand {
  readonly type: "begin";
}

// First byte of every command of such a game's lane. 0: an action follows.
const ACTION = 0;
const TICK = 1;
const COMMIT = 2;
const REVEAL = 3;

/** Codecs made here: their payloads say what they are. */
const tagged = new WeakSet<object>();

/** The same codec with a byte before each action, so that the lane can carry system commands beside them. */
export function taggedActions<Action>(actions: Codec<Action>): Codec<Action> {
  const codec: Codec<Action> = {
    encode: (action) => concatBytes(Uint8Array.of(ACTION), actions.encode(action)),
    decode: (payload) => {
      if (payload[0] !== ACTION) throw new MalformedError(`no action and no command of the table: kind ${payload[0] ?? "none"}`);
      return actions.decode(payload.subarray(1));
    },
  };
  tagged.add(codec);
  return codec;
}

/** Bytes of a system command. */
export function encodeSystemCommand(command: SystemCommand): Uint8Array {
  switch (command.type) {
    case "tick":
      return Uint8Array.of(TICK);
    case "commit":
      return concatBytes(Uint8Array.of(COMMIT), command.tip);
    case "reveal":
      return concatBytes(Uint8Array.of(REVEAL), command.value);
  }
}

/** The system command these bytes are, in a lane whose actions have this codec; undefined when they are none. */
export function systemCommandOf(actions: object, payload: Uint8Array): SystemCommand | undefined {
  if (!tagged.has(actions)) return undefined;
  const rest = payload.slice(1);
  if (payload[0] === TICK && rest.length === 0) return { type: "tick" };
  if (rest.length !== CONTRIBUTION_BYTES) return undefined;
  if (payload[0] === COMMIT) return { type: "commit", tip: rest };
  return payload[0] === REVEAL ? { type: "reveal", value: rest } : undefined;
}
