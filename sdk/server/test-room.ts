// Clients of a core for tests: a peer with a key, its seam to one endpoint, and everything closed afterwards.
import { createServer } from "node:http";
import { WebSocket, type ClientOptions } from "ws";
import { seededRandom, silentLogger, type PeerId } from "../base/index.ts";
import { identityOf, makeKeyPair, type Identity } from "../identity/identity.ts";
import { openNodeSocket } from "../node/index.ts";
import { CoreSeam, corePeerId, coreProofText, decodeCoreFrame, encodeCoreFrame, isCorePeer, type CoreSeamOptions, type Seam, type SeamEvents, type SendOptions } from "../seam/index.ts";
import { gameJoin, type GameJoinOptions, type GameSession } from "../session/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { CoreEndpoint } from "./core-endpoint.ts";
import { CoreHub } from "./core-hub.ts";
import { CoreLinks } from "./core-links.ts";
import { CoreMarks } from "./core-marks.ts";
import { DEFAULT_CORE_LIMITS } from "./limits.ts";
import { newCounts } from "./metrics.ts";
import { nodeClock } from "./node-clock.ts";
import { startCore, type RunningCore, type StartCoreOptions } from "./start-core.ts";

let seed = 1;

/** A peer nobody has met yet. */
export const somebody = async (): Promise<Identity> => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);

/** A connection without a seam. */
export interface RawConnection {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly next: () => Promise<Uint8Array>;
}

/** Answers the challenge of a core's process, with whatever it is told to sign. */
export async function prove({ socket, next }: RawConnection, identity: Identity, said: { readonly room: string; readonly peer: PeerId; readonly host: string }): Promise<void> {
  const challenge = decodeCoreFrame(await next());
  const signature = await identity.sign(coreProofText(challenge.kind === "challenge" ? challenge.nonce : new Uint8Array(), said));
  socket.send(encodeCoreFrame({ kind: "proof", host: said.host, publicKey: identity.publicKey, signature, token: new Uint8Array() }));
}

/** Ends what a test opened, the newest first. */
export class TestCore {
  readonly ends: (() => Promise<unknown>)[] = [];

  async start(options: StartCoreOptions = {}): Promise<RunningCore> {
    const core = await startCore(options);
    this.ends.push(() => core.close());
    return core;
  }

  /** A seam to one endpoint; woven when it resolves. */
  async seam(url: string, identity: Identity, options: Partial<CoreSeamOptions> = {}): Promise<CoreSeam> {
    const seam = new CoreSeam({ selfId: identity.peerId, room: "a room", url, identity, clock: nodeClock, openSocket: openNodeSocket, ...options });
    this.ends.push(() => seam.close());
    await new Promise<void>((done, fail) => {
      seam.on("state", (state) => (state.phase === "torn" ? fail(new Error(state.reason)) : done()));
    });
    return seam;
  }

  async join(seam: CoreSeam, options: Partial<GameJoinOptions> = {}): Promise<GameSession> {
    seed += 1;
    const session = await gameJoin(seam, { clock: nodeClock, random: seededRandom(seed), opens: { seats: 4, spectators: "open" }, joinAdmissionTimeoutMs: 20_000, ...options });
    this.ends.push(() => session.close());
    return session;
  }

  /** A connection for what no seam would say. */
  async raw(url: string, options: ClientOptions = {}): Promise<RawConnection> {
    const socket = new WebSocket(url, options);
    const came: Uint8Array[] = [];
    socket.on("error", () => {});
    socket.on("message", (data: Buffer) => came.push(Uint8Array.from(data)));
    const closed = new Promise<number>((done) => void socket.once("close", done));
    this.ends.push(async () => socket.terminate());
    await Promise.race([new Promise((done) => socket.once("open", done)), closed]);
    const next = async (): Promise<Uint8Array> => {
      await until(() => came.length > 0, "a message");
      return came.shift() ?? new Uint8Array();
    };
    return { socket, closed, next };
  }

  async end(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }
}

/** Resolves when the condition holds, looked at every few ms. */
export async function until(holds: () => boolean, what: string, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** True when `peer` is in the seam's roster. */
export const sees = (seam: CoreSeam, peer: PeerId): boolean => seam.peers.has(peer);

/** Processes that pass frames on and run no group: for what is true of the way alone. */
export async function bareCore(size: number): Promise<{ readonly endpoints: readonly string[]; close(): Promise<void> }> {
  const secret = new Uint8Array(32).fill(7);
  const names = Array.from({ length: size }, (_, at) => String.fromCharCode(97 + at));
  const cores = names.map(corePeerId);
  const urls = new Map<PeerId, string>();
  const made = await Promise.all(cores.map(async (self) => {
    const counts = newCounts();
    const shared = { self, secret, limits: DEFAULT_CORE_LIMITS, counts };
    const hub = new CoreHub({ ...shared, onRoom: () => {}, onWord: () => {}, onLink: () => {}, now: () => Date.now() });
    const links = new CoreLinks({ ...shared, others: cores.filter((core) => core !== self), urlOf: (core) => urls.get(core), marks: await CoreMarks.open(new MemoryByteStore(), self), hub, logger: silentLogger, onRecordsLost: () => {} });
    const endpoint = new CoreEndpoint({ ...shared, cores, hub, resumeMs: 60_000, origins: [], heartbeatMs: 20_000, hosts: undefined, rooms: "any", admitRoom: undefined, hasPlaceFor: () => true, logger: silentLogger });
    const server = createServer().on("upgrade", (request, socket, head) => ((request.url ?? "").startsWith("/core/link") ? links : endpoint).upgrade(request, socket, head));
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const address = server.address();
    urls.set(self, `ws://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    return { hub, links, endpoint, server };
  }));
  for (const { links } of made) links.start();
  await until(() => made.every(({ hub }) => hub.linked.length === size - 1), "the processes are linked");
  const close = async (): Promise<void> => {
    await Promise.all(made.map(async ({ links, endpoint, server }) => {
      await Promise.all([links.close(), endpoint.close()]);
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }));
  };
  return { endpoints: [...urls.values()], close };
}

/** A seam as if there were only players: for a contract that counts who is there. */
export class PlayersOnly implements Seam {
  readonly #base: Seam;
  readonly #filtered = new WeakMap<ReadonlySet<PeerId>, ReadonlySet<PeerId>>();

  constructor(base: Seam) {
    this.#base = base;
  }

  get selfId(): PeerId {
    return this.#base.selfId;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#players(this.#base.peers);
  }

  get state(): Seam["state"] {
    return this.#base.state;
  }

  get payloadBytesMax(): number {
    return this.#base.payloadBytesMax;
  }

  on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    const base: Seam = this.#base;
    if (event !== "peers") return base.on(event, listener);
    const told = listener as SeamEvents["peers"];
    return base.on("peers", (peers) => told(this.#players(peers)));
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    this.#base.broadcast(bytes, options);
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    this.#base.sendTo(peer, bytes, options);
  }

  close(): Promise<void> {
    return this.#base.close();
  }

  #players(peers: ReadonlySet<PeerId>): ReadonlySet<PeerId> {
    const known = this.#filtered.get(peers) ?? new Set([...peers].filter((peer) => !isCorePeer(peer)));
    this.#filtered.set(peers, known);
    return known;
  }
}
