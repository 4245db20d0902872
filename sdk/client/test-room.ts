// Three servers and a room of clients in virtual time, over endpoints that can be told to misbehave.
import { ClosedError, peerId, seededRandom, type PeerId } from "../base/index.ts";
import { LANE_GAME, type LogEvent, type OrderedLog } from "../replica/index.ts";
import { MemoryHub, type MemorySeam } from "../seam/index.ts";
import { gameHost, gameJoin, gameResume, type GameSession, type SessionOptions } from "../session/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { clusterClient, type ClusterClientOptions } from "./connect.ts";
import type { ClusterClient } from "./cluster-client.ts";
import type { Endpoint, OpenedEndpoint } from "./endpoint.ts";
import { EndpointRefusedError, WindowClosedError, type EndpointRefusal } from "./errors.ts";

export const CORE: readonly PeerId[] = [peerId("core:a"), peerId("core:b"), peerId("core:c")];

/** How an endpoint treats who comes: lets it in, refuses, never answers, answers after 8 s, or lets it in and drops it after 50 ms. */
export type Mood = "good" | "unreachable" | "silent" | "late" | "flapping";

/** One way in; counts who came, when, and with which token. */
export class TestEndpoint implements Endpoint {
  readonly name: string;
  readonly asked: { readonly at: number; readonly by: PeerId; readonly token: Uint8Array | undefined }[] = [];
  /** Seams given out and not ended by the other side. */
  readonly given: Set<MemorySeam> = new Set();
  mood: Mood = "good";
  /** Puts out whoever comes, for this. */
  refuses: EndpointRefusal | undefined;
  /** Tells a peer whose place another connection took that it was put out for that. */
  saysReplaced = false;
  /** Tokens it knows; undefined: it has none. */
  tokens: Uint8Array | undefined;
  readonly #room: Room;
  readonly #by: PeerId;
  #outFor: EndpointRefusedError | undefined;

  constructor(room: Room, name: string, by: PeerId) {
    this.name = name;
    this.#room = room;
    this.#by = by;
  }

  async open(_signal: AbortSignal, token: Uint8Array | undefined): Promise<OpenedEndpoint> {
    const { clock, hub } = this.#room;
    this.asked.push({ at: clock.now(), by: this.#by, token });
    const { mood } = this;
    if (mood === "unreachable") throw new ClosedError(`${this.name} (nobody answers)`);
    if (mood === "silent") return new Promise(() => {});
    if (this.refuses !== undefined) throw new EndpointRefusedError(this.name, this.refuses, "so it is");
    if (mood === "late") await new Promise<void>((resolve) => clock.after(8_000, resolve));
    if (token !== undefined && this.tokens !== undefined && token[0] !== this.tokens[0]) throw new WindowClosedError();
    const seam = hub.seam(this.#by);
    this.given.add(seam);
    seam.on("state", ({ phase }) => phase === "torn" && this.given.delete(seam));
    if (mood === "flapping") clock.after(50, () => this.drop());
    const refusal = (): EndpointRefusedError | undefined => {
      const reason = seam.state.phase === "torn" ? seam.state.reason : undefined;
      return this.saysReplaced && reason === "replaced" ? new EndpointRefusedError(this.name, "replaced", reason) : this.#outFor;
    };
    return { seam, token: this.tokens, refusal };
  }

  /** Everybody who came in here is put out for this. */
  putOut(refusal: EndpointRefusal): void {
    this.#outFor = new EndpointRefusedError(this.name, refusal, "so it is");
    this.drop();
    this.#outFor = undefined;
  }

  /** Everybody who came in here is cut off without a word. */
  drop(): void {
    if (this.given.size > 0) this.#room.hub.kill(this.#by, { noticedAfterMs: 0 });
  }
}

export class Room {
  readonly clock: VirtualClock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly disks: Map<PeerId, MemoryByteStore> = new Map();
  readonly cores: Map<PeerId, GameSession> = new Map();
  readonly clients: ClusterClient[] = [];
  readonly seed: number;
  #opened = 0;

  constructor(seed = 1, delayMs = 5) {
    this.seed = seed;
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(seed), faults: { delayMs } });
  }

  /** Three servers that sit and vote, as a core does. */
  static async open(seed?: number, voters: readonly PeerId[] = CORE): Promise<Room> {
    const room = new Room(seed);
    await room.startCore(voters);
    return room;
  }

  async startCore(voters: readonly PeerId[] = CORE): Promise<void> {
    const [a, ...others] = voters as [PeerId, ...PeerId[]];
    this.cores.set(a, await this.get(gameHost(this.hub.seam(a), { ...this.#environment(a), peerCount: voters.length, returnAt: "alone" })));
    for (const core of others) this.cores.set(core, await this.get(gameJoin(this.hub.seam(core), this.#environment(core))));
    await this.until(() => this.leader?.node.membership.voters.length === voters.length);
  }

  get leader(): GameSession | undefined {
    return [...this.cores.values()].find(({ node, isClosed }) => !isClosed && node.role === "leader" && node.status.hasQuorum);
  }

  /** The machine is gone from one moment to the next; what its disk holds stays. */
  async kill(core: PeerId): Promise<void> {
    const session = this.cores.get(core);
    this.cores.delete(core);
    this.hub.kill(core, { noticedAfterMs: 100 });
    await session?.close();
  }

  async restart(core: PeerId): Promise<void> {
    const session = await this.get(gameResume(this.hub.seam(core), { ...this.#environment(core), storage: this.disk(core) }));
    if (session === undefined) throw new Error(`${core} has nothing to come back to`);
    this.cores.set(core, session);
  }

  /** Ways in for one client, each by a name. */
  endpoints(by: PeerId, ...moods: readonly Mood[]): TestEndpoint[] {
    return moods.map((mood, at) => {
      const endpoint = new TestEndpoint(this, `e${at + 1}`, by);
      endpoint.mood = mood;
      return endpoint;
    });
  }

  options(id: PeerId, endpoints: readonly Endpoint[]): ClusterClientOptions {
    this.#opened += 1;
    return { endpoints, room: "r", identity: { peerId: id }, clock: this.clock, random: seededRandom(this.seed, this.#opened) };
  }

  async client(id: PeerId, endpoints: readonly Endpoint[], options: Partial<ClusterClientOptions> = {}): Promise<ClusterClient> {
    const client = await this.get(clusterClient({ ...this.options(id, endpoints), ...options }));
    this.clients.push(client);
    return client;
  }

  disk(id: PeerId): MemoryByteStore {
    const disk = this.disks.get(id) ?? new MemoryByteStore();
    this.disks.set(id, disk);
    return disk;
  }

  /** Turns the clock until the promise settles. */
  async get<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    for (let ms = 0; ms < 180_000 && !isSettled; ms += 25) await this.clock.advance(25);
    if (!isSettled) throw new Error(`still waiting after three minutes (seed ${this.seed})`);
    return promise;
  }

  failure(promise: Promise<unknown>): Promise<unknown> {
    return this.get(promise.then((value) => Promise.reject(new Error(`resolved with ${JSON.stringify(value)}`)), (error: unknown) => error));
  }

  async until(condition: () => boolean, ms = 60_000): Promise<boolean> {
    for (let at = 0; at < ms && !condition(); at += 25) await this.clock.advance(25);
    return condition();
  }

  async end(): Promise<void> {
    await this.get(Promise.all([...this.clients.map((client) => client.close()), ...[...this.cores.values()].map((session) => session.close())]));
  }

  #environment(core: PeerId): SessionOptions {
    this.#opened += 1;
    return { clock: this.clock, random: seededRandom(this.seed, this.#opened), storage: this.disk(core) };
  }
}

/** Every game command of a log that took effect, in order: its number (two bytes) at its index. */
export function applied(log: OrderedLog): { readonly index: number; readonly value: number }[] {
  const found: { index: number; value: number }[] = [];
  const see = (event: LogEvent): void => {
    if (event.type === "command" && event.lane === LANE_GAME && !event.duplicate) found.push({ index: event.index, value: (event.payload[0] ?? 0) * 256 + (event.payload[1] ?? 0) });
  };
  log.follow(see)();
  return found;
}

/** A command that is a number. */
export function command(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}
