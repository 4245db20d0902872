// What every FenceAuthority must keep, as data: DU1 to DU9 of SPEC.md.
import { expect } from "vitest";
import type { Obligation } from "../testing/contract.ts";
import { fenceFor } from "./fence.ts";
import type { FenceAuthority } from "./fence-authority.ts";

/** A place where fences are kept; opened as often as a test likes. */
export interface FenceHarness {
  place(): Promise<{ open(): Promise<FenceAuthority> }>;
}

const S = "match 1";

async function refusal(call: Promise<unknown>): Promise<Record<string, unknown>> {
  return call.then(
    () => ({ code: "granted" }),
    (error: unknown) => ({ ...(error as Record<string, unknown>) }),
  );
}

async function fresh(harness: FenceHarness): Promise<FenceAuthority> {
  return (await harness.place()).open();
}

/** DU1 to DU9. */
export const fenceContract: readonly Obligation<FenceHarness>[] = [
  {
    id: "DU1",
    says: "nobody owns an unclaimed session, and a first claim is granted at any epoch",
    check: async (harness) => {
      for (const epoch of [1, 7]) {
        const fences = await fresh(harness);
        expect(await fences.current(S)).toBeUndefined();
        await fences.claim(S, fenceFor(S, "ann", epoch));
        expect(await fences.current(S)).toEqual(fenceFor(S, "ann", epoch));
      }
    },
  },
  {
    id: "DU2",
    says: "a lower epoch is a stale owner's, before anything else is looked at",
    check: async (harness) => {
      const fences = await fresh(harness);
      await fences.claim(S, fenceFor(S, "ann", 5));
      const stale = { code: "stale-owner", current: 5, requested: 4 };
      expect(await refusal(fences.claim(S, fenceFor(S, "ann", 4)))).toMatchObject(stale);
      expect(await refusal(fences.claim(S, fenceFor(S, "bob", 4)))).toMatchObject(stale);
      expect(await refusal(fences.claim(S, { owner: "bob", epoch: 4, token: "wrong" }))).toMatchObject(stale);
    },
  },
  {
    id: "DU3",
    says: "another owner's claim of the epoch in force is split brain, before its token is looked at",
    check: async (harness) => {
      const fences = await fresh(harness);
      await fences.claim(S, fenceFor(S, "ann", 5));
      const split = { code: "split-brain", currentOwner: "ann", requestedOwner: "bob", epoch: 5 };
      expect(await refusal(fences.claim(S, fenceFor(S, "bob", 5)))).toMatchObject(split);
      expect(await refusal(fences.claim(S, { owner: "bob", epoch: 5, token: "wrong" }))).toMatchObject(split);
    },
  },
  {
    id: "DU4",
    says: "a wrong token is refused, also on a first claim and on a repeated one",
    check: async (harness) => {
      const fences = await fresh(harness);
      const wrong = { ...fenceFor(S, "ann", 5), token: fenceFor(S, "ann", 6).token };
      expect(await refusal(fences.claim(S, wrong))).toMatchObject({ code: "invalid-token", owner: "ann", epoch: 5 });
      await fences.claim(S, fenceFor(S, "ann", 5));
      expect(await refusal(fences.claim(S, wrong))).toMatchObject({ code: "invalid-token", owner: "ann", epoch: 5 });
      expect(await refusal(fences.claim(S, { ...fenceFor("match 2", "ann", 6) }))).toMatchObject({ code: "invalid-token", owner: "ann", epoch: 6 });
    },
  },
  {
    id: "DU5",
    says: "a refused claim changes nothing",
    check: async (harness) => {
      const fences = await fresh(harness);
      await refusal(fences.claim(S, { owner: "ann", epoch: 1, token: "wrong" }));
      expect(await fences.current(S)).toBeUndefined();
      await fences.claim(S, fenceFor(S, "ann", 5));
      for (const bad of [fenceFor(S, "bob", 4), fenceFor(S, "bob", 5), { owner: "bob", epoch: 6, token: "" }]) await refusal(fences.claim(S, bad));
      expect(await fences.current(S)).toEqual(fenceFor(S, "ann", 5));
    },
  },
  {
    id: "DU6",
    says: "a granted claim is in force for everybody, also later",
    check: async (harness) => {
      const place = await harness.place();
      const one = await place.open();
      await one.claim(S, fenceFor(S, "ann", 1));
      const two = await place.open();
      expect(await two.current(S)).toEqual(fenceFor(S, "ann", 1));
      await two.claim(S, fenceFor(S, "bob", 2));
      expect(await refusal(one.claim(S, fenceFor(S, "ann", 1)))).toMatchObject({ code: "stale-owner", current: 2 });
      expect(await (await place.open()).current(S)).toEqual(fenceFor(S, "bob", 2));
    },
  },
  {
    id: "DU7",
    says: "the same claim again is granted again",
    check: async (harness) => {
      const fences = await fresh(harness);
      for (let round = 0; round < 3; round += 1) await fences.claim(S, fenceFor(S, "ann", 2));
      expect(await fences.current(S)).toEqual(fenceFor(S, "ann", 2));
    },
  },
  {
    id: "DU8",
    says: "of owners racing for one epoch exactly one is granted it",
    check: async (harness) => {
      const place = await harness.place();
      const owners = await Promise.all(["ann", "bob", "cyd"].map(async (owner) => ({ owner, fences: await place.open() })));
      for (let epoch = 1; epoch <= 5; epoch += 1) {
        const results = await Promise.all(owners.map(async ({ owner, fences }) => (await refusal(fences.claim(S, fenceFor(S, owner, epoch))))["code"]));
        expect(results.map(String).sort((a, b) => (a < b ? -1 : 1))).toEqual(["granted", "split-brain", "split-brain"]);
        expect((await place.open().then((fences) => fences.current(S)))?.owner).toBe(owners[results.indexOf("granted")]?.owner);
      }
      const taken = await Promise.all(owners.map(({ owner, fences }) => fences.takeOver(S, owner)));
      expect(new Set(taken.map(({ epoch }) => epoch)).size).toBe(3);
      expect(await (await place.open()).current(S)).toEqual(taken.reduce((a, b) => (a.epoch > b.epoch ? a : b)));
    },
  },
  {
    id: "DU9",
    says: "sessions do not share fences",
    check: async (harness) => {
      const fences = await fresh(harness);
      await fences.claim("a", fenceFor("a", "ann", 9));
      await fences.claim("a/b", fenceFor("a/b", "bob", 1));
      expect(await fences.current("a")).toEqual(fenceFor("a", "ann", 9));
      expect(await fences.current("a/b")).toEqual(fenceFor("a/b", "bob", 1));
      expect(await fences.current("b")).toBeUndefined();
    },
  },
];
