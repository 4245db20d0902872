// The server over real sockets: pages, limits, origins, heartbeat, shutdown.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { connect, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { encodeSignalingFrame } from "../seam/index.ts";
import { peerId } from "../base/index.ts";
import { readArguments } from "./cli-options.ts";
import { TokenBucket } from "./limits.ts";
import { isOriginAllowed } from "./origin.ts";
import { startServer, type RunningServer, type ServerOptions } from "./server.ts";

let folder: string;
let server: RunningServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flotilla-"));
  const pages = join(folder, "pages");
  await mkdir(join(pages, "assets"), { recursive: true });
  await mkdir(join(pages, "sub"));
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(pages, "index.html"), "<h1>home</h1>");
  await writeFile(join(pages, "sub", "index.html"), "sub");
  await writeFile(join(pages, ".hidden"), "hidden");
  await writeFile(join(pages, "flotilla.json"), '{"signaling":null}');
  await writeFile(join(pages, "assets", "index-B1a2_c3-D.js"), "export {};");
  await symlink(join(folder, "secret.txt"), join(pages, "link.txt"));
  server = await startServer({ port: 0, staticDir: pages });
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** A request whose path reaches the server as it is; `fetch` would tidy it up. */
function raw(path: string, port: number = server.port, headers = "Connection: close\r\n"): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`));
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("end", () => done(text));
    socket.on("error", fail);
  });
}

function signalUrl(to: RunningServer, query = "room=r&peer=p&key=k"): string {
  return `${to.url.replace("http", "ws")}/signal?${query}`;
}

/** How a connection ends: a close code, or the HTTP status it was refused with. */
function ending(socket: WebSocket): Promise<number> {
  return new Promise((done) => {
    socket.on("error", () => {});
    socket.on("unexpected-response", (_, response) => done(response.statusCode ?? 0));
    socket.on("close", (code) => done(code));
  });
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((done, fail) => {
    socket.once("open", () => done());
    socket.once("error", fail);
  });
}

async function withServer(options: ServerOptions, check: (own: RunningServer) => Promise<void>): Promise<void> {
  const own = await startServer({ port: 0, ...options });
  try {
    await check(own);
  } finally {
    await own.close();
  }
}

describe("pages", () => {
  test("serves files with their types, hashed ones for ever, others checked each time", async () => {
    const home = await fetch(`${server.url}/`);
    expect([home.status, home.headers.get("content-type"), home.headers.get("cache-control"), await home.text()]).toEqual([200, "text/html; charset=utf-8", "no-cache", "<h1>home</h1>"]);
    const script = await fetch(`${server.url}/assets/index-B1a2_c3-D.js`);
    expect([script.headers.get("content-type"), script.headers.get("cache-control")]).toEqual(["text/javascript; charset=utf-8", "public, max-age=31536000, immutable"]);
    expect(await (await fetch(`${server.url}/sub/`)).text()).toBe("sub");
    const again = await fetch(`${server.url}/`, { headers: { "If-None-Match": home.headers.get("etag") ?? "" } });
    expect([again.status, home.headers.get("x-content-type-options")]).toEqual([304, "nosniff"]);
  });

  test("answers HEAD without a body, other methods with 405 and unknown paths with 404", async () => {
    const head = await fetch(`${server.url}/index.html`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "13", ""]);
    expect((await fetch(`${server.url}/`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  });

  test.each(["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/sub/../../secret.txt", "//secret.txt", "/..\\secret.txt", "/link.txt", "/.hidden", "/%00", "/%", "/assets"])(
    "gives nothing outside its folder for %s",
    async (path) => {
      const answer = await raw(path);
      expect(answer).toMatch(/^HTTP\/1\.1 (404|400)/);
      expect(answer.split("\r\n\r\n")[1]).not.toContain("secret");
    },
  );

  test("says that it has signaling, whatever the static file says, and that it is well", async () => {
    expect(await (await fetch(`${server.url}/flotilla.json`)).json()).toEqual({ signaling: "/signal" });
    expect(await (await fetch(`${server.url}/healthz`)).text()).toBe("ok\n");
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^flotilla_rooms 0$/m);
  });

  test("counts rooms and peers while they are there", () =>
    withServer({}, async (own) => {
      const sockets = ["room=a&peer=1&key=k", "room=a&peer=2&key=k", "room=b&peer=1&key=k"].map((query) => new WebSocket(signalUrl(own, query)));
      await Promise.all(sockets.map(opened));
      expect([own.counts.rooms, own.counts.peers]).toEqual([2, 3]);
      expect(await (await fetch(`${own.url}/metrics`)).text()).toMatch(/^flotilla_peers 3$/m);
    }));
});

describe("limits", () => {
  test.each(["room=r&peer=p", "room=&peer=p&key=k", "peer=p&key=k", "room=r&peer=%01&key=k", `room=${"x".repeat(129)}&peer=p&key=k`, `room=r&peer=${"x".repeat(129)}&key=k`])("refuses %s", async (query) => {
    expect(await ending(new WebSocket(signalUrl(server, query)))).toBe(4400);
  });

  test.each(["//", "//x:y:z", "/signal/..", "http://[", "*"])("survives an upgrade request for %s", async (path) => {
    const answer = await raw(path, server.port, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 40[04]/);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test("refuses other paths, and more connections and rooms than allowed", () =>
    withServer({ limits: { connectionsMax: 2, roomsMax: 1 } }, async (own) => {
      expect(await ending(new WebSocket(`${own.url.replace("http", "ws")}/other`))).toBe(404);
      const first = new WebSocket(signalUrl(own));
      await opened(first);
      expect(await ending(new WebSocket(signalUrl(own, "room=other&peer=p&key=k")))).toBe(4503);
      const second = new WebSocket(signalUrl(own, "room=r&peer=q&key=k"));
      await opened(second);
      expect(await ending(new WebSocket(signalUrl(own, "room=r&peer=s&key=k")))).toBe(503);
      expect(own.counts.refusedTotal).toBe(2);
    }));

  test("ends a connection that sends too much, too fast or too large", () =>
    withServer({ limits: { messagesPerSecond: 1, messageBurst: 5 } }, async (own) => {
      const fast = new WebSocket(signalUrl(own));
      await opened(fast);
      const end = ending(fast);
      for (let i = 0; i < 6; i += 1) fast.send(encodeSignalingFrame({ kind: "ping" }));
      expect(await end).toBe(4429);
      const large = new WebSocket(signalUrl(own, "room=r&peer=q&key=k"));
      await opened(large);
      const largeEnd = ending(large);
      large.send(new Uint8Array(70 * 1024));
      expect(await largeEnd).toBe(1009);
    }));

  test("ends a connection that gives no sign of life, and tells the room", () =>
    withServer({ heartbeatMs: 30 }, async (own) => {
      const alive = new WebSocket(signalUrl(own, "room=r&peer=alive&key=k"));
      const dead = new WebSocket(signalUrl(own, "room=r&peer=dead&key=k"), { autoPong: false });
      await Promise.all([opened(alive), opened(dead)]);
      const told = new Promise<Buffer>((done) => alive.on("message", (data) => data instanceof Buffer && data[1] === 2 && done(data)));
      dead.send(encodeSignalingFrame({ kind: "announce", from: peerId("dead"), to: undefined }));
      expect(await ending(dead)).toBe(1006);
      expect((await told).toString()).toContain("dead");
      expect(alive.readyState).toBe(WebSocket.OPEN);
    }));

  test("a bucket fills at its rate and never above its brim", () => {
    const bucket = new TokenBucket(10, 20, 0);
    expect([bucket.take(20, 0), bucket.take(1, 0), bucket.take(1, 100), bucket.take(1, 150), bucket.take(20, 100_000), bucket.take(1, 100_000)]).toEqual([true, false, true, false, true, false]);
  });
});

describe("origins", () => {
  test.each([
    [undefined, "game.example", [], true],
    ["https://game.example", "game.example", [], true],
    ["http://localhost:5173", "game.example", [], true],
    ["http://127.0.0.1:9", "game.example", [], true],
    ["http://[::1]:9", "game.example", [], true],
    ["https://evil.example", "game.example", [], false],
    ["https://localhost.evil.example", "game.example", [], false],
    ["null", "game.example", [], false],
    ["https://friend.example", "game.example", ["https://friend.example"], true],
    ["https://evil.example", "game.example", "any", true],
  ] as const)("%s at %s with %j: %s", (origin, host, allowed, expected) => {
    expect(isOriginAllowed(origin, host, allowed)).toBe(expected);
  });

  test("a page of another origin gets no connection", async () => {
    expect(await ending(new WebSocket(signalUrl(server), { origin: "https://evil.example" }))).toBe(403);
    const own = new WebSocket(signalUrl(server, "room=origin&peer=p&key=k"), { origin: server.url });
    await opened(own);
    own.close();
  });
});

describe("start and stop", () => {
  test("takes a following port when it may, and rejects with Node's error when not", () =>
    withServer({}, async (own) => {
      await expect(startServer({ port: own.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
      const next = await startServer({ port: own.port, furtherPorts: 5 });
      expect(next.port).toBeGreaterThan(own.port);
      await next.close();
    }));

  test("an error of the listening socket later on is logged, and ends nothing", async () => {
    const said: string[] = [];
    const sockets = (): readonly Server[] => (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles().filter((handle) => handle instanceof Server);
    const before = new Set(sockets());
    const other = await startServer({ port: 0, logger: { error: (message) => void said.push(message), info: () => {}, debug: () => {} } });
    const [listening] = sockets().filter((handle) => !before.has(handle));
    // As Node does when no more files can be opened.
    listening!.emit("error", new Error("EMFILE"));
    expect(said).toEqual(["the server could not take a connection"]);
    expect((await fetch(`http://127.0.0.1:${other.port}/healthz`)).status).toBe(200);
    await other.close();
  });

  test("close says goodbye to every connection, frees the port and can be called again", async () => {
    const own = await startServer({ port: 0 });
    const socket = new WebSocket(signalUrl(own));
    await opened(socket);
    const end = ending(socket);
    await Promise.all([own.close(), own.close()]);
    expect(await end).toBe(1001);
    const again = await startServer({ port: own.port });
    await again.close();
  });
});

describe("the command line", () => {
  test("reads its options and says what is wrong with them", () => {
    expect(readArguments([], "/demo")).toEqual({ furtherPorts: 20, host: undefined, staticDir: "/demo", origins: [] });
    expect(readArguments(["--port", "9000", "--host", "0.0.0.0", "--static", "x", "--origin", "https://a.example"], "/demo")).toEqual({
      port: 9000,
      host: "0.0.0.0",
      staticDir: "x",
      origins: ["https://a.example"],
    });
    expect(readArguments(["--origin", "any"], undefined)).toMatchObject({ origins: "any" });
    expect(readArguments(["--origin", "http://localhost:5173/"], undefined)).toMatchObject({ origins: ["http://localhost:5173"] });
    for (const origin of ["example.org", "localhost:5173", "file:///"]) expect(() => readArguments(["--origin", origin], undefined)).toThrow(`--origin is a page's origin such as https://example.org, or any; got ${origin}`);
    expect(readArguments(["--help"], undefined)).toBe("help");
    expect(() => readArguments(["--port", "abc"], undefined)).toThrow("got abc");
    expect(() => readArguments(["--port", "70000"], undefined)).toThrow("got 70000");
    expect(() => readArguments(["--nonsense"], undefined)).toThrow("nonsense");
  });
});
