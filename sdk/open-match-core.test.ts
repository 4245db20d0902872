// What can not be had together with a core is refused by name, before a socket, a store or a timer is touched.
import { expect, test } from "vitest";
import { hasCode } from "./base/index.ts";
import { openMatch, type MatchOptions } from "./open-match.ts";
import type { Game } from "./game/index.ts";

const words: Game<readonly string[], string> = { setup: () => [], apply: (said, word) => [...said, word] };
const core = ["wss://a.example.org"];

async function refused(options: unknown): Promise<string> {
  const touched: string[] = [];
  const touch = (what: string) => (): never => {
    touched.push(what);
    throw new Error(what);
  };
  const world = {
    room: "den", game: words, placement: { core }, openSocket: touch("a socket"), storage: touch("the storage"), random: { uint32: touch("randomness") },
    clock: { now: () => 0, after: touch("a timer"), every: touch("a timer") }, onProgress: touch("progress"),
  };
  const failure: unknown = await openMatch({ ...world, ...(options as object) } as unknown as MatchOptions<readonly string[], string>).catch((error: unknown) => error);
  expect([options, hasCode(failure, "invalid-argument"), touched]).toEqual([options, true, []]);
  return failure instanceof Error ? failure.message : "";
}

test("every option that only tabs can follow is refused by its name, and says why", async () => {
  const given: Partial<Record<keyof MatchOptions<unknown, unknown>, unknown>> = {
    seam: () => { throw new Error("no"); }, signaling: "wss://there", iceServers: [], relay: "fallback", password: "p", witness: true, from: new Uint8Array(3), admit: () => true,
  };
  for (const [name, value] of Object.entries(given)) expect(await refused({ [name]: value })).toMatch(new RegExp(`^${name} and a core exclude each other: `, "u"));
  expect(await refused({ password: "" })).toContain("password");
});

test("a core that is none is refused with what was given", async () => {
  for (const placement of ["server-core", 3, null, {}, { core: "wss://a.example.org" }, { core: undefined }]) expect(await refused({ placement })).toMatch(/^placement is "session-owned", or /u);
  expect(await refused({ placement: { core: [] } })).toContain("at least one");
  for (const url of ["not a url", "a.example.org", "javascript:0", 7]) expect(await refused({ placement: { core: [...core, url] } })).toContain(JSON.stringify(url));
});
