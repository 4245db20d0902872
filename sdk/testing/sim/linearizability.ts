// Judges a client history of one register: is there an order of the operations that explains every answer and respects real time?
// The search of Wing and Gong with Lowe's memo ("Testing for linearizability", 2017): configurations seen once are not searched again.

/** What a client asked of one key. `value` and `expected` are whole numbers; an absent key holds 0. */
export type RegisterInput =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "cas"; readonly expected: number; readonly value: number };

/** One operation as its client saw it. */
export interface RegisterOperation {
  readonly client: string;
  readonly input: RegisterInput;
  /** When the client asked, and when it was answered; `returned` undefined when no answer ever came: the operation may take effect at any later time, or never. */
  readonly invoked: number;
  readonly returned: number | undefined;
  /** A read's value; for a cas 1 when it took effect, else 0. Ignored for writes and for unanswered operations. */
  readonly output?: number | undefined;
}

/** `unknown` when the search passed its limit of steps. */
export type Verdict = "legal" | "illegal" | "unknown";

/** Configurations visited before the search gives up. Histories of the simulator need some thousands. */
const STEPS_MAX = 5_000_000;

interface Entry {
  readonly op: number;
  /** The matching return of a call; undefined on returns. */
  match: Entry | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;
}

/** The state after `input`, or undefined when the register in `state` could not have answered `output`. */
function applyRegister(state: number, { input, output, returned }: RegisterOperation): number | undefined {
  switch (input.kind) {
    case "read":
      return returned === undefined || output === state ? state : undefined;
    case "write":
      return input.value;
    case "cas": {
      const succeeds = state === input.expected;
      if (returned !== undefined && (output === 1) !== succeeds) return undefined;
      return succeeds ? input.value : state;
    }
  }
}

/** Links calls and returns in time order; a return that comes at the same instant as a call stands after it, so that both count as concurrent. */
function linkEntries(history: readonly RegisterOperation[]): Entry {
  const marks = history.flatMap((operation, op) => {
    const back: Entry = { op, match: undefined, previous: undefined, next: undefined };
    const call: Entry = { op, match: back, previous: undefined, next: undefined };
    return [
      { at: operation.invoked, order: 0, entry: call },
      { at: operation.returned ?? Number.POSITIVE_INFINITY, order: 1, entry: back },
    ];
  });
  marks.sort((a, b) => (a.at === b.at ? a.order - b.order || a.entry.op - b.entry.op : a.at - b.at));
  const head: Entry = { op: -1, match: undefined, previous: undefined, next: undefined };
  let tail = head;
  for (const { entry } of marks) {
    tail.next = entry;
    entry.previous = tail;
    tail = entry;
  }
  return head;
}

function unlink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

function relink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}

/**
 * Judges the history of one register that starts at 0. Cost grows with the number of operations that overlap, not with the length
 * of the history alone; past `stepsMax` configurations the verdict is `unknown`.
 */
export function checkRegister(history: readonly RegisterOperation[], stepsMax: number = STEPS_MAX): Verdict {
  const head = linkEntries(history);
  const done = new Uint32Array((history.length + 31) >> 5);
  const seen = new Set<string>();
  const stack: { readonly call: Entry; readonly state: number }[] = [];
  let state = 0;
  let entry = head.next;
  let steps = 0;
  while (head.next !== undefined) {
    if ((steps += 1) > stepsMax) return "unknown";
    const back = entry?.match;
    if (entry !== undefined && back !== undefined) {
      const operation = history[entry.op];
      const after = operation === undefined ? undefined : applyRegister(state, operation);
      if (after !== undefined) {
        const word = entry.op >> 5;
        const bit = 1 << (entry.op & 31);
        done[word] = (done[word] ?? 0) | bit;
        const key = `${after}:${done.join()}`;
        if (!seen.has(key)) {
          seen.add(key);
          stack.push({ call: entry, state });
          state = after;
          unlink(entry);
          unlink(back);
          entry = head.next;
          continue;
        }
        done[word] = (done[word] ?? 0) & ~bit;
      }
      entry = entry.next;
      continue;
    }
    // A return whose call is not yet placed (or the end of the list): what was placed last was placed wrongly.
    const last = stack.pop();
    if (last === undefined) return "illegal";
    state = last.state;
    done[last.call.op >> 5] = (done[last.call.op >> 5] ?? 0) & ~(1 << (last.call.op & 31));
    if (last.call.match !== undefined) relink(last.call.match);
    relink(last.call);
    entry = last.call.next;
  }
  return "legal";
}
