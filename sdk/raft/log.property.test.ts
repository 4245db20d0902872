// The packed log against a plain array.
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesEqual, concatBytes, peerId } from "../base/index.ts";
import { RaftLog } from "./log.ts";
import { EMPTY_MEMBERSHIP, encodeMembership } from "./membership.ts";
import { entryOf, PackedEntries } from "./packed-entries.ts";
import type { Entry, Membership } from "./types.ts";

type Action =
  | { readonly do: "append"; readonly count: number; readonly termStep: number; readonly size: number; readonly membership: boolean }
  | { readonly do: "restore"; readonly count: number; readonly size: number; readonly perSource: number; readonly pad: number }
  | { readonly do: "truncate"; readonly back: number }
  | { readonly do: "compact"; readonly forward: number }
  | { readonly do: "reset"; readonly ahead: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 700 }), termStep: fc.nat(2), size: fc.nat(90), membership: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("restore" as const), count: fc.integer({ min: 1, max: 700 }), size: fc.nat(90), perSource: fc.integer({ min: 1, max: 64 }), pad: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("truncate" as const), back: fc.nat(1500) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("compact" as const), forward: fc.nat(2500) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const), ahead: fc.integer({ min: 1, max: 3000 }) }) },
);

/** What RaftLog promises, as slowly as can be. */
class Model {
  entries: Entry[] = [];
  snapshot: { index: number; term: number; time: number; membership: Membership } = { index: 0, term: 0, time: 0, membership: EMPTY_MEMBERSHIP };

  get last(): { index: number; term: number; time: number } {
    return this.entries[this.entries.length - 1] ?? this.snapshot;
  }

  termAt(index: number): number {
    if (index === this.snapshot.index) return this.snapshot.term;
    return this.entries[index - this.snapshot.index - 1]?.term ?? -1;
  }

  membershipAt(index: number, of: ReadonlyMap<Uint8Array, Membership>): Membership {
    const placed = this.entries.filter((entry) => entry.kind === 2 && entry.index <= index);
    const newest = placed[placed.length - 1];
    return newest === undefined ? this.snapshot.membership : of.get(newest.data)!;
  }
}

let serial = 0;

/** Appends parts of common arrays, small and large ones: entries of all sizes with something in between. */
function restoreSome(log: RaftLog, model: Model, memberships: Map<Uint8Array, Membership>, { count, size, perSource, pad }: Extract<Action, { readonly do: "restore" }>): void {
  for (let done = 0; done < count; done += perSource) {
    const held = Array.from({ length: Math.min(perSource, count - done) }, (_, at): Uint8Array => {
      if (done + at > 0) return new Uint8Array((size * (at + 1)) % 97).fill(done + at);
      const membership: Membership = { ...EMPTY_MEMBERSHIP, voters: [peerId(`r${(serial += 1)}`)] };
      const data = encodeMembership(membership);
      memberships.set(data, membership);
      return data;
    });
    const source = concatBytes(...held.flatMap((data) => [new Uint8Array(pad).fill(255), data]));
    const entries = new PackedEntries(model.last.index + 1, 1);
    entries.begin(source, held.length);
    let end = 0;
    for (const data of held) {
      end += pad + data.length;
      const { index, term, time } = model.last;
      const entry: Entry = { index: index + 1, term: Math.max(1, term), kind: memberships.has(data) ? 2 : 1, time: time + 1, data };
      entries.push({ ...entry, start: end - data.length, end });
      model.entries.push(entry);
    }
    // As a start does: what is no membership at one go, memberships one by one.
    entries.eachRun((run, first) => {
      const from = memberships.has(held[0] ?? source) ? 1 : 0;
      if (from === 1) log.appendEntry(entryOf(run, first, run.from));
      if (held.length > from) log.appendRun({ ...run, from: run.from + from });
    });
  }
}

function apply(log: RaftLog, model: Model, memberships: Map<Uint8Array, Membership>, step: Action): void {
  if (step.do === "append") {
    const term = Math.max(1, model.last.term + step.termStep);
    for (let i = 0; i < step.count; i += 1) {
      const isMembership = step.membership && i === 0;
      const membership: Membership = { ...EMPTY_MEMBERSHIP, voters: [peerId(`p${(serial += 1)}`)] };
      const data = isMembership ? encodeMembership(membership) : new Uint8Array(step.size).fill(i);
      if (isMembership) memberships.set(data, membership);
      const entry: Entry = { index: model.last.index + 1, term, kind: isMembership ? 2 : 1, time: model.last.time + 1, data };
      if (i % 2 === 0) log.append(term, entry.kind, entry.time, data);
      else log.appendEntry(entry);
      model.entries.push(entry);
    }
  } else if (step.do === "restore") {
    restoreSome(log, model, memberships, step);
  } else if (step.do === "truncate") {
    const index = Math.max(model.snapshot.index, model.last.index - step.back);
    log.truncateAfter(index);
    model.entries = model.entries.filter((entry) => entry.index <= index);
  } else if (step.do === "compact") {
    const index = Math.min(model.last.index, model.snapshot.index + step.forward);
    if (index <= model.snapshot.index) return;
    log.compactTo(index);
    const { term, time } = model.entries[index - model.snapshot.index - 1]!;
    const membership = model.membershipAt(index, memberships);
    model.entries = model.entries.filter((entry) => entry.index > index);
    model.snapshot = { index, term, time, membership };
  } else {
    const { index, term, time } = model.last;
    const snapshot = { index: index + step.ahead, term: term + 1, time, membership: { ...EMPTY_MEMBERSHIP, voters: [peerId(`s${(serial += 1)}`)] } };
    log.reset(snapshot);
    model.entries = [];
    model.snapshot = snapshot;
  }
}

function compare(log: RaftLog, model: Model, memberships: Map<Uint8Array, Membership>): void {
  const { snapshot, last } = model;
  expect([log.snapshotIndex, log.snapshotTerm, log.last, log.lastTerm, log.lastTime]).toEqual([snapshot.index, snapshot.term, last.index, last.term, last.time]);
  expect(log.membership).toEqual(model.membershipAt(last.index, memberships));
  const probes = [snapshot.index - 1, snapshot.index, snapshot.index + 1, Math.floor((snapshot.index + last.index) / 2), last.index - 1100, last.index - 1, last.index, last.index + 1];
  for (const index of probes.filter((at) => at >= 0)) {
    expect(log.termAt(index)).toBe(model.termAt(index));
    if (index >= snapshot.index && index <= last.index) expect(log.membershipAt(index)).toEqual(model.membershipAt(index, memberships));
    const entry = model.entries[index - snapshot.index - 1];
    if (entry !== undefined) expect({ ...log.entry(index), data: [...log.entry(index).data] }).toEqual({ ...entry, data: [...entry.data] });
  }
  const size = model.entries.reduce((sum, entry) => sum + entry.data.length + 16, 0);
  expect(log.sizeBetween(snapshot.index, last.index)).toBe(size);
  for (const term of [0, last.term - 1, last.term]) {
    const found = model.entries.filter((entry) => entry.term <= term && entry.index <= last.index);
    expect(log.lastAtMost(last.index, term)).toBe(found[found.length - 1]?.index ?? snapshot.index);
  }
}

test("[RF3] the packed log does what a plain array does, through appends, restored parts, truncations, compactions and resets", () => {
  fc.assert(fc.property(fc.array(action, { maxLength: 12 }), (steps) => {
    const log = new RaftLog();
    const model = new Model();
    const memberships = new Map<Uint8Array, Membership>();
    for (const step of steps) {
      apply(log, model, memberships, step);
      compare(log, model, memberships);
    }
    for (const entry of model.entries) expect(bytesEqual(log.entry(entry.index).data, entry.data)).toBe(true);
  }), { numRuns: 60 });
});

test("[RF3] entries handed out before a truncation stay as they were", () => {
  const log = new RaftLog();
  for (let i = 1; i <= 10; i += 1) log.append(1, 1, 0, new Uint8Array([i]));
  const handedOut = log.slice(5, 10);
  log.truncateAfter(4);
  for (let i = 0; i < 20; i += 1) log.append(2, 1, 0, new Uint8Array([99]));
  expect(handedOut.map((entry) => entry.data[0])).toEqual([5, 6, 7, 8, 9, 10]);
  expect(log.slice(5, 10).map((entry) => entry.data[0])).toEqual([99, 99, 99, 99, 99, 99]);
});

test("[RF3] a batch takes what fits, and one entry that does not", () => {
  const log = new RaftLog();
  for (const size of [10, 10, 500, 10]) log.append(1, 1, 0, new Uint8Array(size));
  expect(log.batchEnd(1, 4, 52, 100)).toBe(2);
  expect(log.batchEnd(1, 4, 51, 100)).toBe(1);
  expect(log.batchEnd(3, 4, 52, 100)).toBe(3);
  expect(log.batchEnd(1, 4, 10_000, 100)).toBe(4);
  expect(log.batchEnd(1, 4, 10_000, 3)).toBe(3);
});
