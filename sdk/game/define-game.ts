// Turns what an author wrote into a complete game: checked shape, defaults, codecs that validate.
import { InvalidArgumentError, jsonCodec, type Codec } from "../base/index.ts";
import { isThenable } from "./fault.ts";
import type { DefinedGame, Game, Seat } from "./game.ts";
import { taggedActions } from "./system-command.ts";
import { isAsynchronous, validateWith, type StandardSchema } from "./standard-schema.ts";

/** Longest `name` and longest `version`, in UTF-16 units: both travel in every snapshot and every greeting. */
export const RULES_CHARS_MAX = 64;

/** Games made here, so that defining twice does not wrap twice. */
const defined = new WeakSet<object>();

/**
 * Checks a game's shape, fills in the defaults and returns a frozen, complete game. Defining a defined game returns it.
 * Throws `InvalidArgumentError` that names the field and what it got, and so does its `setup` later for what is no state. The game's functions are not called; its schema is asked about `undefined`, to see whether it answers at once.
 */
export function defineGame<State, Action>(game: Game<State, Action>): DefinedGame<State, Action> {
  if (isDefined(game)) return game;
  checkShape(game);
  const { name = "game", version = "1", schema } = game;
  if (schema !== undefined && isAsynchronous(schema)) throw new InvalidArgumentError("a game's schema is synchronous: a committed action has to be judged at its place in the log, which can not wait");
  const codec = game.actions ?? jsonCodec<Action>();
  const actions = schema === undefined ? codec : validatingCodec(codec, schema);
  const complete: DefinedGame<State, Action> = Object.freeze({
    name,
    version,
    rules: `${name}@${version}`,
    setup: (context) => beginning(game.setup(context)),
    check: (state, action, context) => game.check?.(state, action, context),
    apply: (state, action, context) => game.apply(state, action, context),
    ...(game.view === undefined ? {} : { view: (state: State, player: Seat | undefined) => game.view?.(state, player) ?? state }),
    clock: game.clock,
    dice: game.dice,
    actions: game.clock === undefined && game.dice === undefined ? actions : taggedActions(actions),
    states: game.states ?? jsonCodec<State>(),
    schema,
  } satisfies DefinedGame<State, Action>);
  defined.add(complete);
  return complete;
}

/** Nothing can be played from nothing, and nobody waits for a beginning. */
function beginning<State>(state: State): State {
  if (state === undefined) throw new InvalidArgumentError("a game's setup returned undefined (is a return missing?)");
  if (isThenable(state)) throw new InvalidArgumentError("a game's setup returned a promise, and it must not be async");
  return state;
}

function isDefined<State, Action>(game: Game<State, Action>): game is DefinedGame<State, Action> {
  return typeof game === "object" && game !== null && defined.has(game);
}

function checkShape(game: unknown): void {
  if (typeof game !== "object" || game === null) throw new InvalidArgumentError(`a game is an object with setup and apply, got ${show(game)}`);
  const fields: Partial<Record<string, unknown>> = { ...game };
  // Methods of a class instance live on its prototype, where spreading does not look.
  const of = (field: string): unknown => fields[field] ?? (field in game ? Reflect.get(game, field) : undefined);
  for (const field of ["setup", "apply"]) requireThat(typeof of(field) === "function", field, "a function", of(field));
  requireThat(of("check") === undefined || typeof of("check") === "function", "check", "a function or left out", of("check"));
  requireThat(of("view") === undefined || typeof of("view") === "function", "view", "a function or left out", of("view"));
  for (const field of ["name", "version"]) requireThat(isShortText(of(field)), field, `a text of 1 to ${RULES_CHARS_MAX} characters without "@" or left out`, of(field));
  for (const field of ["actions", "states"]) requireThat(of(field) === undefined || hasFunctions(of(field), ["encode", "decode"]), field, "a codec { encode, decode } or left out", of(field));
  requireThat(of("clock") === undefined || hasFunctions(of("clock"), ["deadline", "timeout"]), "clock", "{ deadline, timeout } or left out", of("clock"));
  requireThat(of("dice") === undefined || isDice(of("dice")), "dice", "{ read, write }, with isWanted and rolled or neither, or left out", of("dice"));
  requireThat(of("schema") === undefined || isStandardSchema(of("schema")), "schema", "a Standard Schema (an object with a \"~standard\" field of version 1) or left out", of("schema"));
}

function requireThat(holds: boolean, field: string, wanted: string, got: unknown): void {
  if (!holds) throw new InvalidArgumentError(`a game's ${field} is ${wanted}, got ${show(got)}`);
}

function isShortText(value: unknown): boolean {
  return value === undefined || (typeof value === "string" && value.length > 0 && value.length <= RULES_CHARS_MAX && !value.includes("@"));
}

function hasFunctions(value: unknown, names: readonly string[]): boolean {
  return typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "function");
}

function isDice(value: unknown): boolean {
  return hasFunctions(value, ["read", "write"]) && (hasFunctions(value, ["isWanted", "rolled"]) || !["isWanted", "rolled"].some((name) => Reflect.get(Object(value), name) !== undefined));
}

/** Some libraries' schemas are functions with properties. */
function isStandardSchema(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = Reflect.get(value, "~standard");
  return hasFunctions(standard, ["validate"]) && typeof standard === "object" && standard !== null && Reflect.get(standard, "version") === 1;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : `an object with ${Object.keys(value).slice(0, 8).join(", ") || "no fields"}`;
  return String(value);
}

/** What is sent is the value before the schema saw it, so that proposer and receivers run the schema over the very same bytes. */
function validatingCodec<Action>(codec: Codec<Action>, schema: StandardSchema<Action>): Codec<Action> {
  return {
    encode: (action) => codec.encode(action),
    decode: (bytes) => validateWith(schema, codec.decode(bytes)),
  };
}
