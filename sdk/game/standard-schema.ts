// The Standard Schema interface (zod, valibot, arktype and others implement it), written down by hand so that no library is needed.
import { SdkError } from "../base/index.ts";

/** One thing wrong with a value. */
export interface StandardIssue {
  readonly message: string;
  /** Where in the value: keys, or objects with a `key`; undefined or empty for the value as a whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What `validate` answers: the value as its output type, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** A schema of any library that follows https://standardschema.dev (version 1). Only synchronous schemas can judge actions. */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    /** Judges a value; a promise when the schema is asynchronous. What it throws is the library's own. */
    validate(value: unknown): StandardResult<Output> | PromiseLike<StandardResult<Output>>;
  };
}

/**
 * The game's schema refuses a value as an action. `code` is `invalid-action`; the message is made of the issues, and is the reason a rejected
 * proposal is given. For a committed payload it is the cause of the report.
 */
export class InvalidActionError extends SdkError {
  /** What the schema found, in its own words. */
  readonly issues: readonly StandardIssue[];

  constructor(message: string, issues: readonly StandardIssue[]) {
    super("invalid-action", message);
    this.name = "InvalidActionError";
    this.issues = issues;
  }
}

/** Issues told in a reason; a schema may find hundreds in one hostile value. */
const ISSUES_TOLD_MAX = 5;
/** Longest reason made of issues, in UTF-16 units: it is shown to people and kept in reports. */
const REASON_CHARS_MAX = 400;

const ASYNCHRONOUS = "the schema is asynchronous, and a committed action has to be judged at its place in the log: use a synchronous schema";

/**
 * The value as `schema` sees it. Throws `InvalidActionError` with every issue; also when the schema is asynchronous, because the validation of a
 * committed action can not wait. Throws what the schema throws.
 */
export function validateWith<Output>(schema: StandardSchema<Output>, value: unknown): Output {
  const result = schema["~standard"].validate(value);
  if (isPromise(result)) throw new InvalidActionError(ASYNCHRONOUS, []);
  if (result.issues !== undefined) throw new InvalidActionError(reasonOf(result.issues), result.issues);
  return result.value;
}

/** True when the schema answers even nonsense with a promise: it can never judge an action. */
export function isAsynchronous(schema: StandardSchema<unknown>): boolean {
  try {
    return isPromise(schema["~standard"].validate(undefined));
  } catch {
    return false; // What it throws at nonsense says nothing.
  }
}

/** Whoever answers with a promise may reject it later, with nobody waiting. */
function isPromise<T extends object>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  if (!("then" in answer)) return false;
  answer.then(undefined, () => {});
  return true;
}

function reasonOf(issues: readonly StandardIssue[]): string {
  const told = issues.slice(0, ISSUES_TOLD_MAX).map(({ message, path }) => (path === undefined || path.length === 0 ? message : `${path.map(keyOf).join(".")}: ${message}`));
  if (issues.length > told.length) told.push(`and ${issues.length - told.length} more`);
  return told.join("; ").slice(0, REASON_CHARS_MAX) || "the schema refuses it";
}

function keyOf(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === "object" ? segment.key : segment);
}
