// Plain values as a whole: freezing, copying and comparing them. For development mode and the contract, never on the way of a move.

/** Freezes a value and everything it holds; `frozen` remembers what was done, so that shared parts are done once. Typed arrays and the contents of Maps and Sets can not be frozen. */
export function deepFreeze<T>(value: T, frozen: WeakSet<object>): T {
  if (typeof value !== "object" || value === null || frozen.has(value)) return value;
  frozen.add(value);
  if (ArrayBuffer.isView(value)) return value;
  for (const part of contentsOf(value)) deepFreeze(part, frozen);
  for (const part of Object.values(value)) deepFreeze(part, frozen);
  Object.freeze(value);
  return value;
}

/** A copy that shares nothing that can be changed. Knows plain objects and class instances by their fields, arrays, Maps, Sets, typed arrays and dates; cycles are not expected. */
export function deepCopy<T>(value: T): T {
  return copyOf(value) as T;
}

function copyOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Map) return new Map([...value].map(([key, part]) => [copyOf(key), copyOf(part)]));
  if (value instanceof Set) return new Set([...value].map(copyOf));
  // Typed arrays and dates copy themselves through their constructor.
  if (ArrayBuffer.isView(value) || isTimestamp(value)) return Reflect.construct(value.constructor, [value]);
  const copy: object = Object.create(Object.getPrototypeOf(value));
  for (const [key, part] of Object.entries(value)) Reflect.set(copy, key, copyOf(part));
  return copy;
}

/** True when both hold the same: primitives by `Object.is`, objects by class and fields, Maps and Sets in order. Cycles are not expected. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (isTimestamp(a) && isTimestamp(b)) return Object.is(a.getTime(), b.getTime());
  return sameContents(contentsOf(a), contentsOf(b)) && sameFields(a, b);
}

function sameContents(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, at) => deepEqual(part, b[at]));
}

function sameFields(a: object, b: object): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && deepEqual(Reflect.get(a, key), Reflect.get(b, key)));
}

/** What a Map or a Set holds besides fields. */
function contentsOf(value: object): readonly unknown[] {
  return value instanceof Map || value instanceof Set ? [...value] : [];
}

function isTimestamp(value: object): value is { getTime(): number } {
  return "getTime" in value && typeof value.getTime === "function";
}
