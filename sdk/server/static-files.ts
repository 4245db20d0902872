// Files of one folder over HTTP: nothing outside it, the right types, and caching that never serves yesterday's page.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { requestTarget } from "./request-target.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".mp3": "audio/mpeg",
};

// Vite puts a hash of the content into these names, so they can never change.
const HASHED = /^\/assets\/.+-[\w-]{8,}\.\w+$/;

/** The file a URL path means inside `root`, or undefined when there is none there. Symbolic links that lead outside count as none. */
export async function findFile(root: string, urlPath: string): Promise<{ readonly file: string; readonly bytes: number; readonly mtimeMs: number } | undefined> {
  let path: string;
  try {
    path = decodeURIComponent(urlPath);
  } catch {
    return undefined;
  }
  if (path.includes("\0") || path.includes("\\") || path.split("/").some((part) => part.startsWith("."))) return undefined;
  try {
    const home = await realpath(root);
    const wanted = await realpath(resolve(home, `.${sep}${path}`));
    const file = (await stat(wanted)).isDirectory() ? await realpath(join(wanted, "index.html")) : wanted;
    if (!file.startsWith(home + sep)) return undefined;
    const { size, mtimeMs } = await stat(file);
    return { file, bytes: size, mtimeMs };
  } catch {
    return undefined;
  }
}

/** Answers a GET or HEAD request with a file of `root`; false when there is none, and nothing was written. */
export async function serveFile(root: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const urlPath = requestTarget(request.url).path;
  const found = await findFile(root, urlPath);
  if (found === undefined) return false;
  const etag = `"${found.bytes.toString(36)}-${Math.floor(found.mtimeMs).toString(36)}"`;
  response.setHeader("Content-Type", TYPES[extname(found.file).toLowerCase()] ?? "application/octet-stream");
  response.setHeader("Cache-Control", HASHED.test(urlPath) ? "public, max-age=31536000, immutable" : "no-cache");
  response.setHeader("ETag", etag);
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304).end();
    return true;
  }
  response.writeHead(200, { "Content-Length": found.bytes });
  if (request.method === "HEAD") response.end();
  else await pour(found.file, response);
  return true;
}

function pour(file: string, response: ServerResponse): Promise<void> {
  return new Promise((done) => {
    const stream = createReadStream(file);
    // The headers are out: all that is left is to break the connection off, which the browser reports as a failed load.
    stream.on("error", () => response.destroy());
    response.on("close", () => {
      stream.destroy();
      done();
    });
    stream.pipe(response);
  });
}
