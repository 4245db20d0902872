// A room in virtual time for tests: seams of one process, and every session opened in it closed afterwards.
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { MemoryHub, type Seam } from "../seam/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { gameHost, gameJoin, gameResume, gameSpectate, type GameHostOptions, type GameJoinOptions, type GameSpectateOptions } from "./enter.ts";
import type { GameSession, SessionOptions } from "./session.ts";

export const ann: PeerId = peerId("ann");
export const bob: PeerId = peerId("bob");
export const cat: PeerId = peerId("cat");
export const dan: PeerId = peerId("dan");
export const eve: PeerId = peerId("eve");
export const fay: PeerId = peerId("fay");

/** A room in virtual time; every session opened in it is closed after the test. */
export class Room {
  readonly clock: VirtualClock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly sessions: GameSession[] = [];
  /** What each peer keeps when its tab dies. */
  readonly disks: Map<PeerId, MemoryByteStore> = new Map();
  /** Why the last session each peer came back with ended. */
  readonly endings: Map<PeerId, Error | undefined> = new Map();
  readonly #seams = new Map<PeerId, Seam>();
  #seed = 1;

  constructor(delayMs = 20) {
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(7), faults: { delayMs } });
  }

  get environment(): SessionOptions {
    this.#seed += 1;
    return { clock: this.clock, random: seededRandom(this.#seed) };
  }

  seam(id: PeerId): Seam {
    const seam = this.hub.seam(id);
    this.#seams.set(id, seam);
    return seam;
  }

  /** The peer's seam says goodbye. */
  depart(id: PeerId): void {
    void this.#seams.get(id)?.close();
  }

  host(seam: Seam, options: Partial<GameHostOptions> = {}): Promise<GameSession> {
    return this.keep(gameHost(seam, { ...this.environment, returnAt: "alone", ...options }));
  }

  join(seam: Seam, options: Partial<GameJoinOptions> = {}): Promise<GameSession> {
    return this.keep(gameJoin(seam, { ...this.environment, ...options }));
  }

  spectate(seam: Seam, options: Partial<GameSpectateOptions> = {}): Promise<GameSession> {
    return this.keep(gameSpectate(seam, { ...this.environment, ...options }));
  }

  /** The peer's own records: the same ones whenever it comes back. */
  disk(id: PeerId): MemoryByteStore {
    const disk = this.disks.get(id) ?? new MemoryByteStore();
    this.disks.set(id, disk);
    return disk;
  }

  /** Comes back by what its disk holds. */
  async resume(id: PeerId, options: Partial<SessionOptions> = {}): Promise<GameSession | undefined> {
    const session = await gameResume(this.seam(id), { ...this.environment, ...options, storage: this.disk(id) });
    session?.on("closed", (reason) => this.endings.set(id, reason));
    if (session !== undefined) this.sessions.push(session);
    return session;
  }

  /** A group whose players keep what they know. */
  async durableGroup([first = ann, ...others]: readonly PeerId[], options: Partial<GameHostOptions> = {}): Promise<GameSession[]> {
    const sessions = [await this.get(this.host(this.seam(first), { peerCount: others.length + 1, storage: this.disk(first), ...options }))];
    for (const player of others) sessions.push(await this.get(this.join(this.seam(player), { storage: this.disk(player), ...options })));
    return sessions;
  }

  async keep(opening: Promise<GameSession>): Promise<GameSession> {
    const session = await opening;
    this.sessions.push(session);
    return session;
  }

  /** Turns the clock until the promise settles; a promise that needs more than two minutes has failed. */
  async get<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    for (let ms = 0; ms < 120_000 && !isSettled; ms += 50) await this.clock.advance(50);
    if (!isSettled) throw new Error("still waiting after two minutes");
    return promise;
  }

  async failure(promise: Promise<unknown>): Promise<unknown> {
    return this.get(promise.then((value) => Promise.reject(new Error(`resolved with ${String(value)}`)), (error: unknown) => error));
  }

  /** Turns the clock until the condition holds, at most `ms`; returns whether it does. */
  async until(condition: () => boolean, ms = 30_000): Promise<boolean> {
    for (let at = 0; at < ms && !condition(); at += 50) await this.clock.advance(50);
    return condition();
  }

  /** A group with these players seated in order. */
  async group([first = ann, ...others]: readonly PeerId[], options: Partial<GameHostOptions> = {}): Promise<GameSession[]> {
    const sessions = [await this.get(this.host(this.seam(first), { peerCount: others.length + 1, ...options }))];
    for (const player of others) sessions.push(await this.get(this.join(this.seam(player), options)));
    return sessions;
  }

  async end(): Promise<void> {
    await this.get(Promise.all(this.sessions.map((session) => session.close())));
  }
}
