// One Node process beside a match: signaling rooms, the pages of the demo, health and counters; a witness or a process of a core where that is asked for.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { silentLogger, type Logger } from "../base/index.ts";
import { Core, type CoreOptions } from "./core.ts";
import { roomMetricsText, type CoreRoomStatus } from "./core-room-status.ts";
import { DEFAULT_LIMITS, DEFAULT_RELAY_LIMITS, DEFAULT_WITNESS_LIMITS, type RelayLimits, type ServerLimits, type WitnessLimits } from "./limits.ts";
import { metricsText, newCounts, type ServerCounts } from "./metrics.ts";
import type { AllowedOrigins } from "./origin.ts";
import { RelayEndpoint } from "./relay-endpoint.ts";
import { requestTarget } from "./request-target.ts";
import { SignalEndpoint } from "./signal-endpoint.ts";
import { refuseUpgrade } from "./sockets.ts";
import { serveFile } from "./static-files.ts";
import { WitnessEndpoint } from "./witness-endpoint.ts";

/** What a server is started with. */
export interface ServerOptions {
  /** 0: any free port. Default 8080. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1: this machine only. `0.0.0.0` opens it to the network. */
  readonly host?: string | undefined;
  /** When the port is taken, try up to this many following ones. Default 0. */
  readonly furtherPorts?: number | undefined;
  /** A folder of pages to serve. Default: none. */
  readonly staticDir?: string | undefined;
  /** Pages that may use the signaling beside those of this server and of the local machine. Default: none. */
  readonly origins?: AllowedOrigins | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Whether this server votes as a witness in groups that ask for it: never sees a move, forgets everything when it ends. An object: with other limits. Default false. */
  readonly witness?: boolean | Partial<WitnessLimits> | undefined;
  /**
   * Whether this server carries what peers say to each other where they find no path of their own. It sees sealed bytes, how many and when; whoever runs it pays
   * for them: at most 8 MiB a second in and as much out by default. An object: with other limits. Default true.
   */
  readonly relay?: boolean | Partial<RelayLimits> | undefined;
  /** Makes this server a process of a fixed core, whose processes are the voters of every room's group. Default: none. */
  readonly core?: CoreOptions | undefined;
  /** Default 20 000 ms. */
  readonly heartbeatMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** A server that runs. */
export interface RunningServer {
  /** Where pages are: `http://localhost:8080`. */
  readonly url: string;
  readonly port: number;
  /** A snapshot of the counters that `/metrics` shows. */
  readonly counts: ServerCounts;
  /** The rooms of the core whose node runs here; empty without a core. */
  readonly rooms: readonly CoreRoomStatus[];
  /** Says goodbye to every connection and frees the port. Idempotent. */
  close(): Promise<void>;
}

/** Starts a server; resolves when it listens. Rejects with Node's error (`EADDRINUSE`, `EACCES`) when it can not, and as a core's storage does. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8080, furtherPorts = 0, origins = [], heartbeatMs = 20_000, witness = false, relay = true, logger = silentLogger } = options;
  const counts = newCounts();
  const shared = { origins, counts, heartbeatMs };
  // First, because it may be refused: nothing else runs by then.
  const core = options.core === undefined ? undefined : await Core.open(options.core, { ...shared, logger });
  const signal = new SignalEndpoint({ limits: { ...DEFAULT_LIMITS, ...options.limits }, ...shared });
  const endpoints = new Map<string, Endpoint>([["/signal", signal]]);
  if (witness !== false) endpoints.set("/witness", new WitnessEndpoint({ limits: { ...DEFAULT_WITNESS_LIMITS, ...(witness === true ? {} : witness) }, ...shared }));
  if (relay !== false) endpoints.set("/relay", new RelayEndpoint({ limits: { ...DEFAULT_RELAY_LIMITS, ...(relay === true ? {} : relay) }, ...shared }));
  if (core !== undefined) {
    endpoints.set("/core", core);
    endpoints.set("/core/link", { upgrade: (request, socket, head) => core.upgradeLink(request, socket, head), close: () => Promise.resolve() });
  }
  const server = createServer((request, response) => {
    answer(request, response, { staticDir: options.staticDir, counts, hasWitness: endpoints.has("/witness"), core }).catch((error: unknown) => {
      logger.error("a request failed", error);
      response.destroy();
    });
  });
  server.on("upgrade", (request, socket, head) => {
    const endpoint = endpoints.get(requestTarget(request.url).path);
    if (endpoint === undefined) refuseUpgrade(socket, "404 Not Found");
    else endpoint.upgrade(request, socket, head);
  });
  const listeningPort = await listen(server, host, port, furtherPorts).catch(async (error: unknown) => {
    await closeAll(endpoints);
    throw error;
  });
  // A connection that can not be taken, because too many files are open, say, ends nothing.
  server.on("error", (error) => logger.error("the server could not take a connection", error));
  const url = `http://${shownHost(host)}:${listeningPort}`;
  logger.info(`listening on ${url}`);
  core?.start();
  let closing: Promise<void> | undefined;
  return {
    url,
    port: listeningPort,
    get counts() {
      return { ...counts };
    },
    get rooms() {
      return core?.rooms ?? [];
    },
    close: () => (closing ??= stop(server, endpoints)),
  };
}

type Endpoint = Pick<SignalEndpoint, "upgrade" | "close">;
type Endpoints = ReadonlyMap<string, Endpoint>;

async function closeAll(endpoints: Endpoints): Promise<void> {
  await Promise.all([...endpoints.values()].map((endpoint) => endpoint.close()));
}

interface Answering {
  readonly staticDir: string | undefined;
  readonly counts: ServerCounts;
  readonly hasWitness: boolean;
  readonly core: Core | undefined;
}

async function answer(request: IncomingMessage, response: ServerResponse, { staticDir, counts, hasWitness, core }: Answering): Promise<void> {
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Referrer-Policy", "no-referrer");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { Allow: "GET, HEAD", "Content-Length": 0 }).end();
    return;
  }
  const { path } = requestTarget(request.url);
  if (path === "/healthz") return text(response, "text/plain; charset=utf-8", "ok\n");
  if (path === "/metrics") return text(response, "text/plain; version=0.0.4; charset=utf-8", metricsText(counts) + roomMetricsText(core?.rooms ?? []));
  if (path === "/core.json" && core !== undefined) return text(response, "application/json; charset=utf-8", `${JSON.stringify({ core: core.self, linked: core.linked, rooms: core.rooms })}\n`);
  if (path === "/flotilla.json") return text(response, "application/json; charset=utf-8", `${JSON.stringify({ signaling: "/signal", ...(hasWitness ? { witness: "/witness" } : {}), ...(core === undefined ? {} : { core: "/core" }) })}\n`);
  if (staticDir !== undefined && (await serveFile(staticDir, request, response))) return;
  response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("not found\n");
}

function text(response: ServerResponse, type: string, body: string): void {
  // Node leaves the body of an answer to HEAD away by itself.
  response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", "Content-Length": Buffer.byteLength(body) }).end(body);
}

async function listen(server: Server, host: string, port: number, furtherPorts: number): Promise<number> {
  for (let tried = 0; ; tried += 1) {
    try {
      return await listenOnce(server, host, port === 0 ? 0 : port + tried);
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || port === 0 || tried >= furtherPorts) throw error;
    }
  }
}

function listenOnce(server: Server, host: string, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(port, host, () => {
      server.off("error", fail);
      const address = server.address();
      done(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

async function stop(server: Server, endpoints: Endpoints): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  await closeAll(endpoints);
  server.closeAllConnections();
  await closed;
}

function shownHost(host: string): string {
  if (host === "127.0.0.1" || host === "::1" || host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
