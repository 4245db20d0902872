// A whole core in one process, for development and tests: what three machines would run, on free ports of this one.
import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "../base/index.ts";
import { MemoryByteStore, MemoryDisk, type ByteStore } from "../storage/index.ts";
import type { CoreOptions } from "./core.ts";
import { startServer, type RunningServer, type ServerOptions } from "./server.ts";

/** What a core is started with. */
export interface StartCoreOptions extends Partial<Omit<CoreOptions, "id" | "processes" | "storage">> {
  /** 1, 3 or 5. Default 3. */
  readonly size?: number | undefined;
  /** Opens the records of the process of this name, each time it is started; closed when it is stopped. Default: in memory, kept from stop to start. */
  readonly storageOf?: ((name: string) => ByteStore | Promise<ByteStore>) | undefined;
  /** What every process is started with beside its part of the core. */
  readonly server?: Omit<ServerOptions, "core" | "port"> | undefined;
}

/** A core that runs. */
export interface RunningCore {
  /** The processes' names, "a" first. */
  readonly names: readonly string[];
  /** Where each listens, in the order of `names`, running or not: what a client is given. */
  readonly endpoints: readonly string[];
  /** A process that runs, by its name. */
  server(name: string): RunningServer | undefined;
  /** Stops one in an orderly way, and keeps its records. */
  stop(name: string): Promise<void>;
  /** Starts it again, on the port it had. */
  start(name: string): Promise<RunningServer>;
  /** Stops all. Idempotent. */
  close(): Promise<void>;
}

/** Starts `size` processes of a core within this one, on free loopback ports; resolves when they serve and are linked. Rejects as `startServer` does; then none is left running. */
export async function startCore({ size = 3, storageOf = inMemory(), secret = Uint8Array.from(randomBytes(32)), server: serverOptions, ...core }: StartCoreOptions = {}): Promise<RunningCore> {
  const names = Array.from({ length: size }, (_, at) => String.fromCharCode(97 + at));
  const processes: Record<string, string> = Object.fromEntries(names.map((name) => [name, ""]));
  const running = new Map<string, { readonly server: RunningServer; readonly storage: ByteStore }>();
  const start = async (name: string): Promise<RunningServer> => {
    const known = processes[name];
    if (known === undefined || running.has(name)) throw new InvalidArgumentError(`${name} is no process of this core that could be started`);
    const storage = await storageOf(name);
    try {
      const server = await startServer({ ...serverOptions, port: known === "" ? 0 : Number(new URL(known).port), core: { ...core, id: name, processes, secret, storage } });
      running.set(name, { server, storage });
      processes[name] = `ws://127.0.0.1:${server.port}`;
      return server;
    } catch (error) {
      await storage.close();
      throw error;
    }
  };
  const stop = async (name: string): Promise<void> => {
    const found = running.get(name);
    running.delete(name);
    await found?.server.close();
    await found?.storage.close();
  };
  const close = async (): Promise<void> => void (await Promise.all(names.map(stop)));
  try {
    for (const name of names) await start(name);
    await linked(() => [...running.values()].every(({ server: { counts } }) => counts.coreLinks === size - 1));
  } catch (error) {
    await close();
    throw error;
  }
  return { names, endpoints: names.map((name) => `${processes[name] ?? ""}/core`), server: (name) => running.get(name)?.server, stop, start, close };
}

/** Waits until they have found each other, for some seconds: a core serves before, and whoever comes first would wait instead. */
async function linked(areAll: () => boolean): Promise<void> {
  for (let turns = 500; turns > 0 && !areAll(); turns -= 1) await new Promise((done) => setTimeout(done, 10));
}

function inMemory(): (name: string) => ByteStore {
  const disks = new Map<string, MemoryDisk>();
  return (name) => {
    const disk = disks.get(name) ?? new MemoryDisk();
    disks.set(name, disk);
    return new MemoryByteStore(disk);
  };
}
