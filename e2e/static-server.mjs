// Serves one folder as plain files and nothing else: what any static host does. For the journeys only.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};
const root = resolve(process.argv[2] ?? ".");

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = join(root, decodeURIComponent(pathname), pathname.endsWith("/") ? "index.html" : "");
  try {
    if (!file.startsWith(root + sep)) throw new Error("outside the folder");
    const body = await readFile(file);
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end("not found");
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`));
