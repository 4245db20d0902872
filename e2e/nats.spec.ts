// Two pages that share shards over a real nats-server, with the script-tag build and the library that speaks to it brought by an import map.
import { fileURLToPath } from "node:url";
import { expect, type Page } from "@playwright/test";
import { build, type Rolldown } from "vite";
import { NO_NATS_SERVER, startNats } from "./nats-server.ts";
import { addressOf, ownContext, test, watched } from "./pages.ts";

interface NatsWindow {
  count(key: string): Promise<{ readonly key: string; readonly count: number; readonly by: string }>;
  info(shard: number): Promise<{ readonly nodeId: string; readonly shards: readonly number[] }>;
  leave(): Promise<void>;
}

/** The library as a CDN serves it: one module. */
async function bundled(): Promise<string> {
  const built = await build({ configFile: false, logLevel: "silent", publicDir: false, build: { write: false, lib: { entry: fileURLToPath(new URL("fixtures/nats-core.mjs", import.meta.url)), formats: ["es"] } } });
  const [{ output }] = (Array.isArray(built) ? built : [built]) as readonly [Rolldown.RolldownOutput];
  return output[0].code;
}

const count = (page: Page, key: string): ReturnType<NatsWindow["count"]> => page.evaluate((asked) => (window as unknown as NatsWindow).count(asked), key);

test("pages that share shards over a NATS server find each other's keys, and what left is nobody's", async ({ browser }) => {
  const nats = await startNats();
  test.info().skip(nats === undefined, NO_NATS_SERVER);
  const context = await ownContext(browser);
  const library = await bundled();
  await context.route("https://esm.sh/@nats-io/nats-core@3", (route) => route.fulfill({ contentType: "text/javascript", headers: { "access-control-allow-origin": "*" }, body: library }));
  try {
    const open = async (node: string): Promise<Page> => {
      const page = watched(await context.newPage());
      await page.goto(`${addressOf("static-only")}/fixtures/nats.html#node=${node}&nats=${nats?.url}`);
      await expect(page.locator("#state")).toHaveText(new RegExp(`^${node} serves [1-9][0-9]? of 16 shards$`));
      return page;
    };
    const [left, right] = [await open("left"), await open("right")];
    const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`);
    const answers = [await Promise.all(keys.map((key) => count(left, key))), await Promise.all(keys.map((key) => count(right, key)))] as const;
    expect(new Set(answers[0].map(({ by }) => by))).toEqual(new Set(["left", "right"]));
    // The same owner, whoever asks, and one count for both.
    expect(answers[1]).toEqual(answers[0].map((answer) => ({ ...answer, count: 2 })));
    const infos = await right.evaluate(() => Promise.all(Array.from({ length: 16 }, (_, shard) => (window as unknown as NatsWindow).info(shard))));
    expect(infos.every(({ shards }, shard) => shards.includes(shard))).toBe(true);

    await right.evaluate(() => (window as unknown as NatsWindow).leave());
    const theirs = answers[0].find(({ by }) => by === "right")!.key;
    expect(await left.evaluate((key) => (window as unknown as NatsWindow).count(key).catch((error: { readonly code: string }) => error.code), theirs)).toBe("no-shard-subscriber");
    const own = answers[0].find(({ by }) => by === "left")!.key;
    expect(await count(left, own)).toMatchObject({ count: 3, by: "left" });
  } finally {
    await context.close();
    nats?.stop();
  }
});
