// The Standard Schema interface (zod, valibot, arktype and others implement it), written down by hand so that no library is needed.

/** One thing wrong with a value. */
export interface StandardIssue {
  readonly message: string;
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
 * The value as `schema` sees it, or the message of its first issue. An asynchronous schema is an issue of its own: a committed
 * action has to be judged at its place in the log, so its validation can not wait. Throws what the schema throws.
 */
export function validateWith<Output>(schema: StandardSchema<Output>, value: unknown): { readonly value: Output } | { readonly issue: string } {
  const result = schema["~standard"].validate(value);
  if ("then" in result) return { issue: "the schema is asynchronous, and actions are validated synchronously" };
  if (result.issues !== undefined) return { issue: result.issues[0]?.message ?? "the schema refuses the value" };
  return { value: result.value };
}
