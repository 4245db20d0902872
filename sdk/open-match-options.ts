// What openMatch is given, judged before anything starts: a misspelt option, or one of the wrong kind, is named instead of passed on.
import { InvalidArgumentError } from "./base/index.ts";
import type { MatchOptions } from "./open-match-types.ts";

/** What an option is, in words that follow "is", and whether a value is that. */
type Kind = readonly [is: string, holds: (value: unknown) => boolean];

const oneOf = (...words: readonly unknown[]): Kind => [words.map((word) => JSON.stringify(word)).join(" or "), (value) => words.includes(value)];
const either = (...kinds: readonly Kind[]): Kind => [kinds.map(([is]) => is).join(", or "), (value) => kinds.some(([, holds]) => holds(value))];
const has = (...names: readonly string[]) => (value: unknown): boolean => isObject(value) && names.every((name) => isFunction(Reflect.get(value, name)));

const TEXT: Kind = ["a text", (value) => typeof value === "string"];
const FLAG: Kind = oneOf(true, false);
const FUNCTION: Kind = ["a function", isFunction];
const BYTES: Kind = ["bytes (a Uint8Array)", (value) => value instanceof Uint8Array];
const LIST: Kind = ["a list", Array.isArray];
const SERVER: Kind = ["the URL of a server (ws: or wss:)", isServerUrl];
const POSITIVE_MS: Kind = ["a number of milliseconds above 0", (value) => typeof value === "number" && value > 0];

/** Everything `openMatch` knows. What belongs together is judged where it is used. */
const KINDS: Readonly<Record<keyof MatchOptions<unknown, unknown>, Kind>> = {
  game: ["a game", () => true],
  room: TEXT,
  key: TEXT,
  password: TEXT,
  from: either(BYTES, ["{ file } with such bytes", (value) => isObject(value) && Reflect.get(value, "file") instanceof Uint8Array]),
  seats: ["a whole number", (value) => typeof value === "number"],
  name: TEXT,
  signaling: either(SERVER, ["a factory", isFunction], ["a list of factories", (value) => Array.isArray(value) && value.every(isFunction)]),
  witness: either(FLAG, SERVER),
  relay: either(oneOf("never", "fallback", "always"), ["{ url } of a server", (value) => isObject(value) && isServerUrl(Reflect.get(value, "url"))]),
  openSocket: FUNCTION,
  placement: either(oneOf("session-owned"), ["{ core } with the URLs of its processes", (value) => isObject(value) && Array.isArray(Reflect.get(value, "core"))]),
  spectate: FLAG,
  iceServers: either(LIST, FUNCTION),
  raft: ["an object of timings", isObject],
  evictAfterMs: POSITIVE_MS,
  storage: either(oneOf("indexeddb", "memory"), ["a ByteStore", has("read", "write")], ["a function that opens one", isFunction], ["an identity with its records", (value) => isObject(value) && "identity" in value]),
  durability: oneOf("strict", "relaxed"),
  resume: FLAG,
  returnAs: ["{ file, passphrase }", (value) => isObject(value) && Reflect.get(value, "file") instanceof Uint8Array && typeof Reflect.get(value, "passphrase") === "string"],
  admit: FUNCTION,
  onProgress: FUNCTION,
  development: oneOf(true, false, "rollback"),
  onReport: FUNCTION,
  seam: either(["a Seam", has("broadcast", "sendTo")], ["a function that makes one", isFunction]),
  page: ["a PageLifecycle", has("on")],
  clock: ["a Clock", has("now", "after")],
  random: ["a Random", has("uint32")],
  between: ["{ seam, clock } with functions", (value) => isObject(value) && [Reflect.get(value, "seam"), Reflect.get(value, "clock")].every((each) => each === undefined || isFunction(each))],
  logger: ["a Logger (such as console)", has("error", "info", "debug")],
  signal: ["an AbortSignal", has("throwIfAborted", "addEventListener")],
};

/** Throws `InvalidArgumentError` that names the option and what it got. */
export function checkOptions(options: unknown): void {
  if (!isObject(options)) throw new InvalidArgumentError(`openMatch takes an object with at least a game, got ${show(options)}`);
  for (const [name, value] of Object.entries(options)) {
    const kind = isKnown(name) ? KINDS[name] : undefined;
    if (kind === undefined) throw new InvalidArgumentError(`openMatch knows no option ${JSON.stringify(name)}: it knows ${Object.keys(KINDS).join(", ")}`);
    const [is, holds] = kind;
    if (value !== undefined && !holds(value)) throw new InvalidArgumentError(`${name} is ${is}, got ${show(value)}`);
  }
}

/** An address a socket can be opened to. `localhost:8080/signal` is one of a scheme `localhost:`, and so is none. */
function isServerUrl(value: unknown): boolean {
  return typeof value === "string" && URL.canParse(value) && /^(?:ws|http)s?:$/u.test(new URL(value).protocol);
}

function isKnown(name: string): name is keyof typeof KINDS {
  return Object.hasOwn(KINDS, name);
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (isFunction(value)) return "a function";
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? `an object with ${Object.keys(value).slice(0, 8).join(", ") || "no fields"}` : String(value);
}
