// The byte store contract on a directory, and what only a directory can do: be owned by one process, and outlive its end by force.
import { spawn } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
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

const ENGINE = JSON.stringify(import.meta.resolve("classic-level"));

/** A process of its own that writes batches of two, each with the same number, and says each number once it is written. */
const WRITER = `
  const { ClassicLevel } = await import(${ENGINE});
  const level = new ClassicLevel(process.argv[1], { keyEncoding: "view", valueEncoding: "view" });
  const key = (text) => Buffer.from(text, "utf16le").swap16();
  await level.open();
  for (let n = 1; ; n += 1) {
    const value = new Uint8Array(new Uint32Array([n]).buffer);
    await level.batch([{ type: "put", key: key("a"), value }, { type: "put", key: key("b/" + n), value }, { type: "put", key: key("z"), value }], { sync: true });
    process.stdout.write(n + "\\n");
  }
`;

describe("a directory", () => {
  test("[ST4] [ST5] keeps every batch it was said to hold, and none by half, when its process is ended by force", async () => {
    const directory = await place();
    await (await FileByteStore.open(directory)).close();
    const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, directory], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    const ended = new Promise((done) => writer.once("close", done));
    await new Promise<void>((done) => {
      writer.stdout.on("data", (text: Buffer) => {
        said += text.toString();
        if (said.split("\n").length > 200) done();
      });
    });
    writer.kill("SIGKILL");
    await ended;
    const promised = Number(said.trimEnd().split("\n").at(-1));
    const store = await FileByteStore.open(directory);
    const numberIn = async (key: string): Promise<number> => new DataView((await store.read(key))!.buffer).getUint32(0, true);
    const [first, last] = [await numberIn("a"), await numberIn("z")];
    expect(first).toBe(last);
    expect(first).toBeGreaterThanOrEqual(promised);
    expect(await store.readRange("b/", "b0")).toHaveLength(first);
    await store.close();
  });

  test("[ST14] that another process holds says so, and serves once it is let go", async () => {
    const directory = await place();
    await (await FileByteStore.open(directory)).close();
    const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, directory], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((done) => writer.once("close", done));
    await new Promise((done) => writer.stdout.once("data", done));
    await expect(FileByteStore.open(directory)).rejects.toMatchObject({ code: "storage-unavailable", message: expect.stringContaining("another process") });
    writer.kill("SIGKILL");
    await ended;
    const store = await FileByteStore.open(directory);
    expect(await store.read("a")).toBeDefined();
    await store.close();
    await expect(FileByteStore.open("/dev/null/records")).rejects.toMatchObject({ code: "storage-unavailable" });
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
