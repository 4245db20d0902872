// Serves one folder as plain files and nothing else: what any static host does; a second one under /fixtures/. For the journeys only.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
};
const root = resolve(process.argv[2] ?? ".");
const fixtures = resolve(process.argv[3] ?? root);

/** The file a path stands for, or undefined outside both folders. Fixtures find the built bundle beside them. */
function fileOf(pathname) {
  const isFixture = pathname.startsWith("/fixtures/") && !pathname.endsWith(".js");
  const folder = isFixture ? fixtures : root;
  const path = pathname.startsWith("/fixtures/") ? pathname.slice("/fixtures".length) : pathname;
  const file = join(folder, decodeURIComponent(path), path.endsWith("/") ? "index.html" : "");
  return file.startsWith(folder + sep) ? file : undefined;
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  try {
    const file = fileOf(pathname);
    if (file === undefined) throw new Error("outside the folders");
    const body = await readFile(file);
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end("not found");
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`));
