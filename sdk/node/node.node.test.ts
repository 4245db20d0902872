// What Node gives a player: an identity that comes back from a directory, and a whole match through a real server.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { utf8 } from "../base/index.ts";
import { verifySignature } from "../identity/index.ts";
import { openMatch, type Game, type Match, type MatchOptions } from "../index.ts";
import { startServer } from "../server/index.ts";
import { FileByteStore } from "./file-byte-store.ts";
import { nodeOptions } from "./node-options.ts";
import { openPlayerFolder } from "./player-folder.ts";

const folders: string[] = [];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true, force: true }))));

async function somePath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "flotilla-node-"));
  folders.push(path);
  return join(path, "player");
}

const put = (key: string, value: Uint8Array) => ({ type: "put", key, value }) as const;

describe("the folder of a player", () => {
  test("brings the same identity back with its records, and can prove it", async () => {
    const path = await somePath();
    const first = await openPlayerFolder(path);
    await first.store.write([put("log", utf8("mine"))]);
    await first.release();
    const second = await openPlayerFolder(path);
    expect([first.isNew, second.isNew, second.identity.peerId]).toEqual([true, false, first.identity.peerId]);
    expect(await second.store.read("log")).toEqual(utf8("mine"));
    const text = utf8("it is me");
    const { peerId, publicKey } = first.identity;
    expect(await verifySignature({ peerId, publicKey, signature: await second.identity.sign(text) }, text)).toBe(true);
    await second.release();
  });

  test("that was abandoned holds somebody new, and nothing of who was there", async () => {
    const path = await somePath();
    const first = await openPlayerFolder(path);
    await first.store.write([put("log", utf8("mine"))]);
    await first.abandon();
    const second = await openPlayerFolder(path);
    expect([second.isNew, second.identity.peerId === first.identity.peerId, await second.store.read("log")]).toEqual([true, false, undefined]);
    await second.release();
  });

  test("that is not wanted any more is held by nobody: at once before it is opened, and when it is afterwards", async () => {
    const path = await somePath();
    const stop = new AbortController();
    const opening = [openPlayerFolder(path, { signal: stop.signal }), nodeOptions({ folder: path, signal: stop.signal })];
    stop.abort(new Error("never mind"));
    for (const opened of await Promise.allSettled([...opening, openPlayerFolder(path, { signal: stop.signal }), nodeOptions({ signal: stop.signal })])) expect(opened).toMatchObject({ status: "rejected", reason: { message: "never mind" } });
    const player = await openPlayerFolder(path);
    await player.release();
    // Let go whole: it can be moved away and another one made in its place.
    await rename(path, `${path}.moved`);
    const anew = await openPlayerFolder(path);
    expect(anew.isNew).toBe(true);
    await anew.release();
  });

  test("whose key can not be read is put aside, and the player is somebody new and says why", async () => {
    const path = await somePath();
    const base = await FileByteStore.open(path);
    await base.write([put("identity/key", utf8("no key")), put("match/log", utf8("mine"))]);
    await base.close();
    const player = await openPlayerFolder(path);
    expect([player.isNew, await player.store.read("log")]).toEqual([true, undefined]);
    expect(player.note).toContain("put aside");
    await player.release();
    const aside = await FileByteStore.open(`${path}.damaged`);
    expect(await aside.read("match/log")).toEqual(utf8("mine"));
    await aside.close();
  });

  test("whose key can not be read twice, or whose path ends with a slash, is put aside each time", async () => {
    const path = await somePath();
    for (const [times, name] of ["", ".2", ".3"].entries()) {
      const base = await FileByteStore.open(path);
      await base.write([put("identity/key", utf8("no key")), put("match/log", Uint8Array.of(times))]);
      await base.close();
      await (await openPlayerFolder(`${path}/`)).release();
      const aside = await FileByteStore.open(`${path}.damaged${name}`);
      expect(await aside.read("match/log")).toEqual(Uint8Array.of(times));
      await aside.close();
    }
  });
});

interface Words {
  readonly words: readonly string[];
}
const game: Game<Words, string> = { name: "words", setup: () => ({ words: [] }), apply: (state, word, { player }) => ({ words: [...state.words, `${player}:${word}`] }) };

/** Resolves once `holds` of the match's state and status. */
const until = (match: Match<Words, string>, holds: (match: Match<Words, string>) => boolean): Promise<void> =>
  new Promise((done) => {
    let offs: (() => void)[] = [];
    const look = (): void => {
      if (!holds(match)) return;
      for (const off of offs) off();
      done();
    };
    offs = [match.confirmed.listen(look), match.status.listen(look), match.players.listen(look)];
    look();
  });

describe("a match between programs", () => {
  test("is played through the relay of the bundled server, and who comes back from its folder is the same player with all of it", async () => {
    const server = await startServer({ port: 0 });
    ends.push(() => server.close());
    const folder = await somePath();
    const open = async (name: string, options: Partial<MatchOptions<Words, string>> = {}): Promise<Match<Words, string>> => {
      const match = await openMatch({ game, name, room: "programs", signaling: server.url, evictAfterMs: 3_000, ...(await nodeOptions(name === "bot" ? { folder } : {})), ...options });
      ends.push(() => match.leave());
      return match;
    };
    const ann = await open("ann");
    const bot = await open("bot");
    const { selfId, seat } = bot.status.get();
    await until(ann, () => ann.status.get().phase === "live");
    expect(ann.status.get().relayed).toEqual([selfId]);
    await bot.play("hello");
    await until(ann, () => ann.confirmed.get().words.includes("1:hello"));
    await bot.leave();
    const again = await open("bot");
    await until(again, () => again.confirmed.get().words.length === 1 && again.status.get().seat === seat);
    expect(again.status.get().selfId).toBe(selfId);
    await again.play("again");
    await until(ann, () => ann.confirmed.get().words.join() === "1:hello,1:again");
    expect(server.counts.relayedBytesTotal).toBeGreaterThan(0);
  });

  test("never relays what must not be, and says so where it can not", async () => {
    const options = { game, room: "nowhere", ...(await nodeOptions()) };
    await expect(openMatch({ ...options, relay: "always" })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(openMatch({ ...options, relay: { url: "no url" } })).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
