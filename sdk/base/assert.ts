// Programmer errors: a belief that turned out false stops the caller at once. Expected failures are in errors.ts.

/** Thrown when something the code believed turns out false. Never thrown for input a user or a remote peer controls. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** States a belief. Throws {@link AssertionError} with `belief` as its message when `condition` is false. */
export function assert(condition: boolean, belief: string): asserts condition {
  if (!condition) throw new AssertionError(belief);
}

/** For the branch a union's exhaustive switch can not reach; a new member of the union makes the call a type error. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}
