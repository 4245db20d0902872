// The way in to a match with a core, where the server that is connected leads nowhere.
import { expect, test } from "vitest";
import { peerId, seededRandom } from "./base/index.ts";
import { enterMatch } from "./open-match-enter.ts";
import { MemoryHub } from "./seam/index.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

test("a server at which nobody leads is left for the next of its core each time nobody let this tab in", async () => {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(1) });
  hub.seam(peerId("core:a"));
  const reasons: string[] = [];
  const way = { status: { phase: "connected", endpoint: "a", window: "fresh" } as const, on: () => () => {}, hears: () => {}, moveOn: (reason: string) => void reasons.push(reason) };
  const entering = enterMatch({
    meeting: { seam: hub.seam(peerId("ann")), seen: new Set(), way },
    seats: 2, spectate: false, mayResume: false, hasCore: true,
    session: { clock, random: seededRandom(2) },
  });
  const failure = entering.catch((error: unknown) => error);
  for (let ms = 0; ms < 80_000; ms += 100) await clock.advance(100);
  expect(await failure).toMatchObject({ code: "join-timeout" });
  expect(reasons.length).toBeGreaterThanOrEqual(4);
  expect(new Set(reasons)).toEqual(new Set(["nobody there leads"]));
});
