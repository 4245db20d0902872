// What shards cost: assignments on a page's thread beside the figures of another implementation, calls over the seam beside bare frames in the same run.
import { chromium, type Page } from "playwright";
import { findBrowser } from "../../../e2e/find-browser.ts";
import type { AssignmentCost } from "./cluster-page.ts";
import { fixed, loadNow, median, table, whole } from "./measure.ts";
import { servePages } from "./page-server.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 9);
const MILLISECONDS = Number(process.env["MILLISECONDS"] ?? 300);
const NODES = Array.from({ length: 17 }, (_, at) => `node-${at}`);
/** Go with golang.org/x/crypto/blake2b on this kind of machine. */
const GO_ASSIGNMENT_MS = 20.5;
const GO_KEYS_PER_SECOND = 3_000_000;

async function assignments(page: Page): Promise<void> {
  console.log(`4,096 shards on one page, medians of ${ROUNDS} and the best of them (${loadNow()})`);
  const steps = [["first, 16 nodes", NODES.slice(0, 16)], ["join of the 17th", NODES], ["leave of one", NODES.slice(1)]] as const;
  const costs = steps.map((): AssignmentCost[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.evaluate(() => globalThis.clusterBench.forget());
    for (const [at, [, nodes]] of steps.entries()) costs[at]?.push(await page.evaluate((given) => globalThis.clusterBench.assign(given), nodes));
  }
  const first = costs[0]?.[0]?.hashes ?? 0;
  const rows = steps.map(([name], at) => {
    const taken = costs[at] ?? [];
    const both = (pick: (cost: AssignmentCost) => number): string => `${fixed(median(taken.map(pick)), 1)} / ${fixed(Math.min(...taken.map(pick)), 1)}`;
    const hashes = taken[0]?.hashes ?? 0;
    return [name, whole(hashes), fixed(hashes / first, 4), both((cost) => cost.totalMs), both((cost) => cost.longestSliceMs), both((cost) => cost.ownersMs), both((cost) => cost.applyMs), both((cost) => cost.longTasksMs.length)];
  });
  rows.push(["Go, first, 16 nodes", whole(65_536), "", fixed(GO_ASSIGNMENT_MS, 1), "", "", "", ""]);
  table(["", "hashes", "of the first", "total ms", "longest slice ms", "owners ms", "reducer ms", "tasks over 50 ms"], rows);
}

async function routes(page: Page): Promise<void> {
  const samples: { readonly routedMs: number; readonly hashedMs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) samples.push(await page.evaluate(() => globalThis.clusterBench.route(10_000)));
  const taken = samples.slice(1);
  console.log(`Routing a key (${loadNow()})`);
  table(["", "keys per second", "of one hash"], [
    ["shardOf", whole(10_000 / median(taken.map(({ routedMs }) => routedMs)) * 1_000), fixed(median(taken.map(({ routedMs, hashedMs }) => routedMs / hashedMs)))],
    ["one hash", whole(10_000 / median(taken.map(({ hashedMs }) => hashedMs)) * 1_000), "1.00"],
    ["Go, one hash", whole(GO_KEYS_PER_SECOND), ""],
  ]);
}

async function trips(page: Page): Promise<void> {
  console.log(`Round trips between two tabs, one at a time, rounds in turn (${loadNow()})`);
  const rows: string[][] = [];
  for (const bytes of [64, 1_024]) {
    const pairs: { readonly frame: number; readonly call: number }[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const [frames, calls] = await page.evaluate(async ([ms, size]) => [await globalThis.clusterBench.frames(ms, size), await globalThis.clusterBench.requests(ms, size)] as const, [MILLISECONDS, bytes] as const);
      if (round > 0) pairs.push({ frame: median(frames), call: median(calls) });
    }
    const ratio = median(pairs.map(({ frame, call }) => call / frame));
    rows.push([`${bytes} bytes`, fixed(median(pairs.map(({ frame }) => frame)), 3), fixed(median(pairs.map(({ call }) => call)), 3), fixed(ratio)]);
  }
  table(["", "frame p50 ms", "request p50 ms", "request / frame"], rows);
}

async function main(): Promise<void> {
  const server = await servePages(new URL("./", import.meta.url));
  const browser = await chromium.launch(findBrowser());
  try {
    const context = await browser.newContext();
    const pages: Page[] = [];
    for (const _ of [0, 1]) {
      const page = await context.newPage();
      page.on("pageerror", (error) => console.error(error));
      await page.goto(`${server.address}/cluster-page`);
      await page.waitForFunction(() => "clusterBench" in globalThis);
      pages.push(page);
    }
    await Promise.all(pages.map((page, at) => page.evaluate(([self, other]) => globalThis.clusterBench.link(self, other, "bench"), [`tab-${at}`, `tab-${1 - at}`] as const)));
    const [page] = pages;
    if (page === undefined) return;
    await assignments(page);
    await routes(page);
    await trips(page);
  } finally {
    await browser.close();
    server.close();
  }
}

await main();
