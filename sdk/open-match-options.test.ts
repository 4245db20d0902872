// Every option of openMatch, misspelt or of the wrong kind: what is wrong is named, and nothing has been started.
import { expect, test } from "vitest";
import { silentLogger } from "./base/index.ts";
import type { Game } from "./game/index.ts";
import { checkOptions } from "./open-match-options.ts";
import { openMatch, type MatchOptions } from "./open-match.ts";
import { openTable } from "./testing/index.ts";

const game: Game<number, number> = { setup: () => 0, apply: (state, by) => state + by };

test.each<readonly [options: unknown, says: string]>([
  [undefined, "openMatch takes an object with at least a game, got undefined"],
  [{}, "a game is an object with setup and apply, got undefined"],
  [{ game: { setup: () => 0 } }, "a game's apply is a function, got undefined"],
  [{ game: { ...game, setup: () => {} } }, "a game's setup returned undefined (is a return missing?)"],
  [{ game: { ...game, setup: () => Promise.resolve(0) } }, "a game's setup returned a promise, and it must not be async"],
  [{ game, seat: 2 }, 'openMatch knows no option "seat": it knows game, room, key'],
  [{ game, toString: 1 }, 'openMatch knows no option "toString"'],
  [{ game, seats: 0 }, "seats is a whole number from 1 to 32, got 0"],
  [{ game, seats: 100 }, "seats is a whole number from 1 to 32, got 100"],
  [{ game, seats: "2" }, 'seats is a whole number, got "2"'],
  [{ game, room: 5 }, "room is a text, got 5"],
  [{ game, room: "" }, 'a room code has 1 to 64 characters and no control characters, got ""'],
  [{ game, room: "https://example.org/game" }, "this link invites to no room: it has lost what stands behind its #"],
  [{ game, key: "abc" }, "a key belongs to a room"],
  [{ game, name: 5 }, "name is a text, got 5"],
  [{ game, password: 5 }, "password is a text, got 5"],
  [{ game, signaling: "localhost:8080/signal" }, 'signaling is the URL of a server (ws: or wss:), or a factory, or a list of factories, got "localhost:8080/signal"'],
  [{ game, signaling: "/signal" }, 'got "/signal"'],
  [{ game, signaling: ["wss://example.org"] }, "signaling is the URL of a server"],
  [{ game, witness: "yes" }, 'witness is true or false, or the URL of a server (ws: or wss:), got "yes"'],
  [{ game, relay: true }, 'relay is "never" or "fallback" or "always", or { url } of a server, got true'],
  [{ game, storage: "localstorage" }, 'storage is "indexeddb" or "memory", or a ByteStore'],
  [{ game, storage: {} }, "got an object with no fields"],
  [{ game, durability: "super" }, 'durability is "strict" or "relaxed", got "super"'],
  [{ game, spectate: "yes" }, 'spectate is true or false, got "yes"'],
  [{ game, iceServers: "stun:x" }, 'iceServers is a list, or a function, got "stun:x"'],
  [{ game, evictAfterMs: -1 }, "evictAfterMs is a number of milliseconds above 0, got -1"],
  [{ game, from: "x" }, "from is bytes (a Uint8Array), or { file } with such bytes"],
  [{ game, returnAs: {} }, "returnAs is { file, passphrase }"],
  [{ game, placement: "core" }, 'placement is "session-owned", or { core } with the URLs of its processes, got "core"'],
  [{ game, placement: { core: ["a.example.org"] } }, "the processes of a core are given by their wss: URLs, got \"a.example.org\""],
  [{ game, development: "yes" }, 'development is true or false or "rollback", got "yes"'],
  [{ game, admit: true }, "admit is a function, got true"],
  [{ game, onReport: {} }, "onReport is a function"],
  [{ game, signal: {} }, "signal is an AbortSignal"],
  [{ game, between: { clock: "slow" } }, "between is { seam, clock } with functions, got an object with clock"],
  [{ game, logger: () => {} }, "logger is a Logger (such as console), got a function"],
])("%#: wrong usage is refused by name before anything starts", async (options, says) => {
  await expect(openMatch(options as MatchOptions<number, number>)).rejects.toMatchObject({ code: "invalid-argument", message: expect.stringContaining(says) });
});

test("what is wrong with a game is an error to the logger, and what belongs to a match is not", async () => {
  const errors: string[] = [];
  const broken: Game<number, string> = { setup: () => 0, check: (_, word) => (word === "no" ? "no" : undefined), apply: () => { throw new Error("boom"); } };
  const table = await openTable(broken, { players: 1, match: { logger: { ...silentLogger, error: (message) => void errors.push(message) }, onReport: undefined } });
  expect([await table.player(0).play("no"), await table.player(0).play("yes")]).toMatchObject([{ reason: "no" }, { reason: "apply-failed" }]);
  await table.close();
  expect(errors).toEqual(["apply threw: boom; the action did nothing"]);
});

test("what is right passes, also where it is left undefined", () => {
  const all: MatchOptions<number, number> = {
    game, room: "Ünïcode 🎲 / ? # & room", key: "x".repeat(26), password: "p", seats: 3, name: "", signaling: "https://example.org", witness: "wss://example.org/witness",
    relay: { url: "wss://example.org/relay" }, storage: () => Promise.reject(new Error("no")), spectate: false, iceServers: [], raft: {}, evictAfterMs: 1, resume: false, development: "rollback",
    admit: () => true, logger: console, signal: new AbortController().signal, placement: "session-owned", returnAs: undefined, from: undefined, clock: undefined,
  };
  expect(() => checkOptions(all)).not.toThrow();
  expect(() => checkOptions({ game, placement: { core: ["wss://a.example.org"] }, signaling: [() => { throw new Error("not called"); }], from: { file: new Uint8Array(1) } })).not.toThrow();
});
