// Plain values as a whole: freezing them, and comparing them. For development mode and the contract, never on the way of a move.

/** Freezes a value and everything it holds; `frozen` remembers what was done, so that shared parts are done once. Typed arrays and the contents of Maps and Sets can not be frozen. */
export function deepFreeze<T>(value: T, frozen: WeakSet<object>): T {
  if (typeof value !== "object" || value === null || frozen.has(value)) return value;
  frozen.add(value);
  if (ArrayBuffer.isView(value)) return value;
  for (const part of partsOf(value)) deepFreeze(part, frozen);
  Object.freeze(value);
  return value;
}

/** True when both hold the same: primitives by `Object.is`, objects by class and fields, Maps and Sets in order. Cycles are not expected. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (isTimestamp(a) && isTimestamp(b)) return Object.is(a.getTime(), b.getTime());
  const left = partsOf(a);
  const right = partsOf(b);
  const keys = Object.keys(a);
  return left.length === right.length && keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && deepEqual(Reflect.get(a, key), Reflect.get(b, key))) && (keys.length === left.length || left.every((part, at) => deepEqual(part, right[at])));
}

function partsOf(value: object): readonly unknown[] {
  if (value instanceof Map) return [...value.entries()];
  if (value instanceof Set) return [...value];
  return Object.values(value);
}

function isTimestamp(value: object): value is { getTime(): number } {
  return "getTime" in value && typeof value.getTime === "function";
}
