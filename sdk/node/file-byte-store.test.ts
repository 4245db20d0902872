// The byte store contract on a directory, and what only a directory can do: be owned by one process, and outlive its end by force.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { below, seededRandom } from "../base/index.ts";
import { byteStoreContract, type ByteStoreHarness } from "../storage/byte-store.contract.ts";
import { describeContract } from "../testing/contract.ts";
import { FileByteStore } from "./file-byte-store.ts";

const places: string[] = [];
const place = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), "flotilla-store-"));
  places.push(directory);
  return join(directory, "records");
};
afterAll(async () => {
  for (const directory of places) await rm(directory, { recursive: true, force: true });
});

const harness: ByteStoreHarness = {
  place: async () => {
    const directory = await place();
    return { open: () => FileByteStore.open(directory) };
  },
  noQuota: "a disk is not filled for a test",
};

describeContract("FileByteStore keeps the byte store contract", byteStoreContract, harness);

/** The store as a program has it: one file, beside which the engine is installed. */
let built = "";
beforeAll(async () => {
  built = resolve("dist", `store-test-${process.pid}`);
  const lib = { entry: { store: resolve("sdk/node/file-byte-store.ts") }, formats: ["es" as const] };
  await build({ publicDir: false, configFile: false, logLevel: "warn", build: { outDir: built, emptyOutDir: true, minify: false, target: "node20", lib, rollupOptions: { external: [/^classic-level$/, /^node:/] } } });
}, 60_000);
afterAll(() => rm(built, { recursive: true, force: true }));

/** A process of its own that goes on from the number it finds with batches of three, each with the same number, several under way at a time, and says each once it is written. */
const WRITER = `
  const { FileByteStore } = await import(process.argv[1]);
  const store = await FileByteStore.open(process.argv[2]);
  const found = await store.read("a");
  let n = found === undefined ? 0 : new DataView(found.buffer).getUint32(0, true);
  const writeOn = async () => {
    for (;;) {
      const mine = n += 1;
      const value = new Uint8Array(new Uint32Array([mine]).buffer);
      await store.write([{ type: "put", key: "a", value }, { type: "put", key: "b/" + mine, value: new Uint8Array(mine % 700) }, { type: "put", key: "z", value }]);
      process.stdout.write(mine + "\\n");
    }
  };
  await Promise.all([writeOn(), writeOn(), writeOn(), writeOn()]);
`;

interface Writing {
  readonly process: ChildProcess;
  /** The last number it said. */
  readonly said: () => number;
  /** Resolves once it has said so many. */
  readonly hasSaid: (count: number) => Promise<void>;
  /** Ends it by force, in the middle of whatever it does. */
  readonly kill: () => Promise<void>;
}

function writeIn(directory: string): Writing {
  const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, pathToFileURL(join(built, "store.js")).href, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(writer, "close");
  let text = "";
  const lines = (): string[] => text.split("\n").slice(0, -1);
  return {
    process: writer,
    said: () => Number(lines().at(-1)),
    hasSaid: async (count) => {
      while (lines().length < count) text += String((await once(writer.stdout, "data"))[0]);
      writer.stdout.on("data", (more: Buffer) => (text += more.toString()));
    },
    kill: async () => {
      writer.kill("SIGKILL");
      await ended;
    },
  };
}

/** The number of the last batch that is there; fails unless that one and every one before it is there whole. */
async function lastWhole(directory: string): Promise<number> {
  const store = await FileByteStore.open(directory);
  try {
    const numberIn = async (key: string): Promise<number> => {
      const value = await store.read(key);
      return value === undefined ? 0 : new DataView(value.buffer).getUint32(0, true);
    };
    const [first, last] = [await numberIn("a"), await numberIn("z")];
    expect(first).toBe(last);
    const between = await store.readRange("b/", "b0");
    expect(between.map(([key, value]) => [Number(key.slice(2)), value.length]).sort(([one = 0], [other = 0]) => one - other)).toEqual(Array.from({ length: first }, (_, at) => [at + 1, (at + 1) % 700]));
    return first;
  } finally {
    await store.close();
  }
}

describe("a directory", () => {
  test("[ST4] [ST5] keeps every batch it was said to hold, and none by half, however often its process is ended by force", async () => {
    const directory = await place();
    let before = 0;
    for (let times = 0; times < 5; times += 1) {
      const writer = writeIn(directory);
      await writer.hasSaid(100 + times * 30);
      await writer.kill();
      const found = await lastWhole(directory);
      expect(found).toBeGreaterThanOrEqual(writer.said());
      expect(found).toBeGreaterThan(before);
      before = found;
    }
  }, 60_000);

  test("[ST5] whose last file is torn anywhere holds every batch before the tear, and none by half", async () => {
    const directory = await place();
    const writer = writeIn(directory);
    await writer.hasSaid(300);
    await writer.kill();
    const [log] = (await readdir(directory)).filter((name) => name.endsWith(".log")).sort().reverse();
    expect(log).toBeDefined();
    const { size } = await stat(join(directory, log!));
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const found: [cut: number, last: number][] = [];
    for (let times = 0; times < 12; times += 1) {
      const torn = await place();
      await cp(directory, torn, { recursive: true });
      const cut = below(random, size);
      await truncate(join(torn, log!), cut);
      found.push([cut, await lastWhole(torn)]);
    }
    found.sort(([one], [other]) => one - other);
    for (const [at, [, last]] of found.entries()) expect(last, `seed ${seed}`).toBeGreaterThanOrEqual(found[at - 1]?.[1] ?? 0);
  }, 60_000);

  test("[ST14] where the engine is not installed says so, and how to", async () => {
    const alone = await place();
    await cp(built, alone, { recursive: true });
    const asking = spawn(process.execPath, ["--input-type=module", "-e", `
      const { FileByteStore } = await import(process.argv[1]);
      await FileByteStore.open(process.argv[2]).catch(({ name, code, message }) => process.stdout.write(JSON.stringify({ name, code, message })));
    `, pathToFileURL(join(alone, "store.js")).href, join(alone, "records")], { stdio: ["ignore", "pipe", "inherit"], cwd: alone });
    let said = "";
    asking.stdout.on("data", (text: Buffer) => (said += text.toString()));
    expect(await once(asking, "close")).toEqual([0, null]);
    expect(JSON.parse(said)).toEqual({ name: "StorageUnavailableError", code: "storage-unavailable", message: expect.stringContaining("npm install classic-level") });
  });

  test("[ST14] that another process holds says so, and serves once it is let go", async () => {
    const directory = await place();
    const writer = writeIn(directory);
    await writer.hasSaid(1);
    await expect(FileByteStore.open(directory)).rejects.toMatchObject({ code: "storage-unavailable", message: expect.stringContaining("another process") });
    await writer.kill();
    const store = await FileByteStore.open(directory);
    expect(await store.read("a")).toBeDefined();
    await store.close();
    await expect(FileByteStore.open("/dev/null/records")).rejects.toMatchObject({ code: "storage-unavailable" });
  });

  test("[ST12] [ST14] that is being closed here can be opened at once: the next one waits for that", async () => {
    const directory = await place();
    const first = await FileByteStore.open(directory);
    const written = first.write([{ type: "put", key: "a", value: Uint8Array.of(1) }]);
    const closed = first.close();
    const second = await FileByteStore.open(directory);
    expect(await second.read("a")).toEqual(Uint8Array.of(1));
    await Promise.all([written, closed, second.close()]);
    // However far the end has come.
    for (let hops = 0; hops < 24; hops += 1) {
      const closing = (await FileByteStore.open(directory)).close();
      for (let hop = 0; hop < hops; hop += 1) await Promise.resolve();
      const next = await FileByteStore.open(directory);
      expect(await next.read("a")).toEqual(Uint8Array.of(1));
      await Promise.all([closing, next.close()]);
    }
  });

  test("that is not wanted any more is not opened, or closed again once it is", async () => {
    const directory = await place();
    await expect(FileByteStore.open(directory, { signal: AbortSignal.abort(new Error("never mind")) })).rejects.toThrow("never mind");
    const stop = new AbortController();
    const opening = FileByteStore.open(directory, { signal: stop.signal });
    stop.abort(new Error("too late"));
    await expect(opening).rejects.toThrow("too late");
    // Nobody holds it: another process may have it.
    const writer = writeIn(directory);
    await writer.hasSaid(1);
    await writer.kill();
  });

  test.skipIf(process.platform === "win32")("that is made is its owner's alone, because keys are in it", async () => {
    const directory = await place();
    await (await FileByteStore.open(directory)).close();
    expect((await stat(directory)).mode & 0o077).toBe(0);
  });

  test("[ST7] [ST15] calls made at once, of all kinds, take effect in their order", async () => {
    const store = await FileByteStore.open(await place());
    const one = Uint8Array.of(1);
    const results = await Promise.allSettled([
      store.write([{ type: "put", key: "a", value: one }]),
      store.write([{ type: "expect", key: "a", value: undefined }, { type: "put", key: "b", value: one }]),
      store.compareAndSet("a", one, Uint8Array.of(2)),
      store.read("a"),
      store.write([{ type: "delete-range", from: "a", to: "b" }, { type: "put", key: "c", value: one }]),
      store.readRange("", "z"),
      store.close(),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled", "fulfilled", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "storage-conflict" } });
    expect(results[3]).toMatchObject({ value: Uint8Array.of(2) });
    expect(results[5]).toMatchObject({ value: [["c", one]] });
  });
});
