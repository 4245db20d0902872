// Serves the benches' pages: an empty document per bundled script, on an origin whose clocks are fine.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

// Without these two a page's clock has steps of 0.1 ms.
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** A running server. `<address>/<name>` is a page that loads `<name>.js` of the folder. */
export interface PageServer {
  readonly address: string;
  close(): void;
}

const documentFor = (script: string): string => `<!doctype html><meta charset=utf-8><title>bench</title><link rel=icon href="data:,"><script type=module src=/${script}.js></script>`;

/** Starts one on a free port of this machine. */
export function servePages(folder: URL): Promise<PageServer> {
  const server = createServer((request, response) => {
    const name = (request.url ?? "/").slice(1);
    if (/^[\w-]+$/.test(name)) return void response.writeHead(200, { ...ISOLATED, "content-type": "text/html" }).end(documentFor(name));
    if (!/^[\w.-]+\.js(\.map)?$/.test(name)) return void response.writeHead(404).end();
    readFile(new URL(name, folder)).then(
      (bytes) => response.writeHead(200, { ...ISOLATED, "content-type": "text/javascript" }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done({ address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() })));
}
