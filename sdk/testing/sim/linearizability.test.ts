import { describe, expect, test } from "vitest";
import { below, seededRandom } from "../../base/index.ts";
import { checkRegister, type RegisterInput, type RegisterOperation } from "./linearizability.ts";

const read: RegisterInput = { kind: "read" };
const write = (value: number): RegisterInput => ({ kind: "write", value });
const cas = (expected: number, value: number): RegisterInput => ({ kind: "cas", expected, value });
const op = (client: string, input: RegisterInput, [invoked, returned]: readonly [number, number | undefined], output?: number): RegisterOperation =>
  ({ client, input, invoked, returned, output });

/** A history made by really running a register: each operation takes effect at one instant inside its interval. */
function genuineHistory(seed: number, length: number, clients: number): RegisterOperation[] {
  const random = seededRandom(seed);
  const free: number[] = Array.from({ length: clients }, () => 0);
  const planned = Array.from({ length }, (_, serial) => {
    const client = below(random, clients);
    const invoked = free[client]! + below(random, 5);
    const returned = invoked + 1 + below(random, 20);
    free[client] = returned + 1;
    const kind = below(random, 3);
    const input = kind === 0 ? read : kind === 1 ? write(serial + 1) : cas(below(random, length), serial + 1);
    return { client: `c${client}`, input, invoked, returned, effect: invoked + ((returned - invoked) * below(random, 1000)) / 1000, lost: below(random, 10) === 0 };
  });
  let state = 0;
  const outputs = new Map<object, number>();
  for (const planning of [...planned].sort((a, b) => a.effect - b.effect)) {
    const { input } = planning;
    outputs.set(planning, input.kind === "cas" ? Number(state === input.expected) : state);
    if (input.kind === "write" || (input.kind === "cas" && state === input.expected)) state = input.value;
  }
  return planned.map((planning) => ({
    client: planning.client, input: planning.input, invoked: planning.invoked,
    returned: planning.lost ? undefined : planning.returned, output: outputs.get(planning),
  }));
}

/** By brute force: some order of all operations, respecting real time, explains every answer. For tiny histories. */
function bruteForce(history: readonly RegisterOperation[]): boolean {
  const search = (left: readonly RegisterOperation[], state: number): boolean => {
    if (left.every((each) => each.returned === undefined)) return true;
    return left.some((each) => {
      if (left.some((other) => (other.returned ?? Infinity) < each.invoked)) return false;
      const rest = left.filter((other) => other !== each);
      const { input } = each;
      if (input.kind === "read") return (each.returned === undefined || each.output === state) && search(rest, state);
      if (input.kind === "write") return search(rest, input.value);
      const succeeds = state === input.expected;
      if (each.returned !== undefined && (each.output === 1) !== succeeds) return false;
      return search(rest, succeeds ? input.value : state);
    });
  };
  return search(history, 0);
}

describe("the linearizability checker", () => {
  test("accepts an empty history and a sequential one", () => {
    expect(checkRegister([])).toBe("legal");
    expect(checkRegister([op("a", write(1), [0, 1]), op("a", read, [2, 3], 1), op("a", cas(1, 2), [4, 5], 1), op("a", read, [6, 7], 2)])).toBe("legal");
  });

  test("rejects a read that misses an acknowledged write", () => {
    expect(checkRegister([op("a", write(1), [0, 1]), op("b", read, [2, 3], 0)])).toBe("illegal");
  });

  test("accepts either value while the write is under way", () => {
    for (const seen of [0, 1]) expect(checkRegister([op("a", write(1), [0, 10]), op("b", read, [2, 3], seen)])).toBe("legal");
  });

  test("rejects two reads that see a write come and go", () => {
    expect(checkRegister([op("a", write(1), [0, 10]), op("b", read, [1, 2], 1), op("b", read, [3, 4], 0)])).toBe("illegal");
  });

  test("rejects a value nobody wrote", () => {
    expect(checkRegister([op("a", write(1), [0, 1]), op("b", read, [0, 1], 7)])).toBe("illegal");
  });

  test("lets an unanswered write take effect late, early or never", () => {
    const lost = op("a", write(1), [0, undefined]);
    expect(checkRegister([lost, op("b", read, [5, 6], 0), op("b", read, [7, 8], 1)])).toBe("legal");
    expect(checkRegister([lost, op("b", read, [5, 6], 0)])).toBe("legal");
    expect(checkRegister([lost, op("b", read, [5, 6], 1), op("b", read, [7, 8], 0)])).toBe("illegal");
    expect(checkRegister([op("b", read, [0, 1], 1), op("a", write(1), [5, undefined])])).toBe("illegal");
  });

  test("rejects a compare-and-set answered wrongly, either way", () => {
    expect(checkRegister([op("a", write(1), [0, 1]), op("a", cas(2, 3), [2, 3], 1)])).toBe("illegal");
    expect(checkRegister([op("a", write(1), [0, 1]), op("a", cas(1, 3), [2, 3], 0)])).toBe("illegal");
  });

  test("rejects two compare-and-sets that both won the same value", () => {
    expect(checkRegister([op("a", cas(0, 1), [0, 10], 1), op("b", cas(0, 2), [0, 10], 1)])).toBe("illegal");
  });

  test("rejects a lost update seen only by a third client", () => {
    expect(checkRegister([op("a", write(1), [0, 3]), op("b", write(2), [4, 6]), op("c", read, [5, 9], 1), op("c", read, [10, 12], 1)])).toBe("illegal");
  });

  test("accepts 200 histories of a real register, each of 150 operations by 5 clients", () => {
    for (let seed = 1; seed <= 200; seed += 1) expect(checkRegister(genuineHistory(seed, 150, 5)), `seed ${seed}`).toBe("legal");
  });

  test("agrees with brute force on 3,000 small histories with answers changed at random", () => {
    const verdicts = { legal: 0, illegal: 0 };
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const random = seededRandom(seed, 1);
      const history = genuineHistory(seed, 6, 3).map((each) =>
        below(random, 4) > 0 ? each : { ...each, output: each.input.kind === "cas" ? below(random, 2) : below(random, 7) });
      const expected = bruteForce(history) ? "legal" : "illegal";
      expect(checkRegister(history), `seed ${seed}`).toBe(expected);
      verdicts[expected] += 1;
    }
    expect(verdicts.legal).toBeGreaterThan(300);
    expect(verdicts.illegal).toBeGreaterThan(300);
  });

  test("says unknown instead of searching for ever", () => {
    expect(checkRegister(genuineHistory(1, 150, 5), 10)).toBe("unknown");
  });
});
