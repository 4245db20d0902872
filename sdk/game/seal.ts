// Hidden information: commit to a value now, show it later, and let everybody check that it is the same. Not encryption: nothing hidden is in the log.
import { below, digest, fromHex, MalformedError, toHex, utf8, type Random } from "../base/index.ts";
import type { Seat } from "./seat.ts";

/** Bytes of the salt: nobody can try out values against a commitment. */
const SALT_BYTES = 16;
/** Bytes of the commitment: nobody can find two values for one. */
const COMMITMENT_BYTES = 32;

/** Deepest nesting of a sealed value: engines give up on deep recursion at different depths, and all peers have to answer alike. */
const DEPTH_MAX = 64;

/** Who commits to what: bound into the commitment, so that another seat, or another round, can not pass it off as its own. */
export interface SealContext {
  readonly player: Seat;
  /** What it is about, such as "hand of round 3". Default: "". */
  readonly about?: string | undefined;
}

/** What is shown in the end. Plain JSON, to be sent as part of an action. */
export interface Opening<T> {
  readonly value: T;
  /** 32 hexadecimal digits. */
  readonly salt: string;
}

/** A value behind a commitment. */
export interface Sealed<T> {
  /** For the log: 64 hexadecimal digits that tell nothing of the value. */
  readonly commitment: string;
  /** Yours alone until it is time. Whoever loses it can never show the value: keep it where it outlives the tab. */
  readonly open: Opening<T>;
}

/**
 * Commits to a JSON value (BLAKE2b-256 over a 128-bit salt, the context and the value). Send `commitment` as part of an action, keep `open`, send that as
 * part of a later one, and let `check` compare them with {@link isOpening}.
 *
 * What it does: nobody learns the value before it is shown, and it can not be changed after. What it does not do: make a player show it (give the game a
 * {@link GameClock} whose timeout lets who keeps silent lose); keep a value from the tab that holds it, so nobody can be dealt a card unseen by the one who
 * chose it; stop two players from telling each other. `random` has to be unpredictable (`systemRandom()`), never `context.random`, which everybody knows.
 * Throws `MalformedError` for what is no JSON value, or nested more than 64 deep.
 */
export function seal<T>(value: T, context: SealContext, random: Random): Sealed<T> {
  const salt = Uint8Array.from({ length: SALT_BYTES }, () => below(random, 256));
  return { commitment: toHex(commitmentTo(value, context, salt)), open: { value, salt: toHex(salt) } };
}

/** True when this opening is what `commitment` was made of, by this player about this. Total: anything else, of whatever shape, is not. */
export function isOpening(commitment: unknown, open: unknown, context: SealContext): boolean {
  if (typeof commitment !== "string" || typeof open !== "object" || open === null || !("salt" in open) || !("value" in open)) return false;
  const { salt, value } = open;
  if (typeof salt !== "string" || salt.length !== 2 * SALT_BYTES) return false;
  try {
    return toHex(commitmentTo(value, context, fromHex(salt))) === commitment;
  } catch {
    return false;
  }
}

function commitmentTo(value: unknown, { player, about = "" }: SealContext, salt: Uint8Array): Uint8Array {
  if (value === undefined) throw new MalformedError("undefined can not be sealed");
  return digest(utf8(`flotilla seal ${toHex(salt)} ${canonical([player, about, value])}`), COMMITMENT_BYTES);
}

/** JSON with fields in one order: what passes through a schema may come out with another. */
function canonical(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw new MalformedError(`a sealed value is nested ${DEPTH_MAX} deep at most`);
  if (Array.isArray(value)) return `[${value.map((part) => canonical(part ?? null, depth + 1)).join()}]`;
  if (typeof value !== "object" || value === null) {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new MalformedError("only JSON values can be sealed");
    return text;
  }
  const fields = Object.entries(value).filter(([, part]) => part !== undefined);
  return `{${fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, part]) => `${JSON.stringify(name)}:${canonical(part, depth + 1)}`).join()}}`;
}
