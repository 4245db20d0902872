// Whatever was written, and whoever races: recovery from every prefix of a session's life, and owners in every interleaving, frozen ones among them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonCodec } from "../base/index.ts";
import { MemoryByteStore, MemoryDisk, type ByteStore, type ByteStoreOp } from "../storage/index.ts";
import { journalOnly, snapshotJournal, snapshotOnly, supportedBackends, type BackendKind, type DurableBackend } from "./backend.ts";
import { DurableSession, type DurableSessionOptions, type ResumePolicy } from "./durable-session.ts";
import { decodeFence, fenceFor, type OwnershipFence } from "./fence.ts";
import { decodeJournalRecord } from "./journal.ts";
import { recover } from "./recovery.ts";
import { decodeStateImage } from "./snapshot.ts";
import { fenceKey, readFence, StoreFence } from "./store-fence.ts";

const ID = "match/1";
const EVERY = 3;

/** Every delta has a name of its own, so that no two states that were reached look the same. */
type State = readonly string[];

function backendOn(kind: BackendKind, store: ByteStore): DurableBackend {
  if (kind === "journal-only") return journalOnly(store);
  return kind === "snapshot-only" ? snapshotOnly(store, EVERY) : snapshotJournal(store, store, EVERY);
}

function options(kind: BackendKind, store: ByteStore, fence: OwnershipFence, policy: ResumePolicy = "resume"): DurableSessionOptions<State, string> {
  return { sessionId: ID, backend: backendOn(kind, store), policy, fence, initial: [], apply: (state, delta) => [...state, delta], states: jsonCodec<State>(), deltas: jsonCodec<string>() };
}

type Change = { readonly key: string; readonly value: Uint8Array | undefined } | { readonly from: string; readonly to: string };

/** Remembers what every write changed, in order. */
class RecordingStore extends MemoryByteStore {
  readonly written: (readonly Change[])[] = [];

  override async write(ops: readonly ByteStoreOp[]): Promise<void> {
    await super.write(ops);
    this.written.push(ops.flatMap((op): Change[] => (op.type === "expect" ? [] : op.type === "delete-range" ? [{ from: op.from, to: op.to }] : [{ key: op.key, value: op.type === "put" ? op.value : undefined }])));
  }

  override async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    const did = await super.compareAndSet(key, expected, next);
    if (did) this.written.push([{ key, value: next }]);
    return did;
  }
}

function perform(records: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const change of changes) {
    if ("from" in change) for (const key of records.keys()) if (key >= change.from && key < change.to) records.delete(key);
    if (!("from" in change)) {
      if (change.value === undefined) records.delete(change.key);
      else records.set(change.key, change.value);
    }
  }
}

/** A moment of a session's life: what its state was, and how much had been written by then. */
interface Moment {
  readonly writes: number;
  readonly state: State;
  /** Deltas ever taken. */
  readonly taken: number;
}

type Deed = { readonly does: "append"; readonly times: number } | { readonly does: "drop" | "crash" | "next owner"; readonly policy: ResumePolicy };

const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ does: fc.constant("append" as const), times: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constantFrom("drop" as const, "crash" as const, "next owner" as const), policy: fc.constantFrom("resume" as const, "rehydrate" as const, "remount" as const) }) },
  ),
  { minLength: 1, maxLength: 10 },
);

async function live(kind: BackendKind, script: readonly Deed[]): Promise<{ readonly written: readonly (readonly Change[])[]; readonly moments: readonly Moment[] }> {
  const store = new RecordingStore();
  let epoch = 1;
  let taken = 0;
  let session = await DurableSession.open(options(kind, store, fenceFor(ID, "owner 1", epoch)));
  const moments: Moment[] = [{ writes: store.written.length, state: [], taken }];
  // A state is reached when its write happens, which is before a crash takes it from memory again.
  const note = (): void => void moments.push({ writes: store.written.length, state: session.lifecycle === "crashed" ? (moments.at(-1)?.state ?? []) : session.state, taken });
  const back = async (policy: ResumePolicy): Promise<void> => {
    await session.restart(policy);
    note();
    await session.reconnect("route-2", 0);
    note();
  };
  await session.start("route-1");
  note();
  for (const deed of script) {
    if (deed.does === "append") {
      for (let time = 0; time < deed.times; time += 1) {
        taken += 1;
        await session.append(`d${taken}`);
        note();
      }
      continue;
    }
    if (deed.does === "drop") await session.disconnect(0);
    if (deed.does === "crash") await session.crash(0);
    if (deed.does === "next owner") session = await DurableSession.open(options(kind, store, fenceFor(ID, `owner ${(epoch += 1)}`, epoch)));
    note();
    await back(deed.policy);
  }
  return { written: store.written, moments };
}

/** The states that may be found when the first `writes` writes happened and no others. */
function mayBeFound(kind: BackendKind, moments: readonly Moment[], writes: number): readonly State[] {
  const done = moments.filter((moment) => moment.writes <= writes).length - 1;
  const last = moments[done];
  // A write in the middle of a deed: the state before it or after it, nothing else.
  const next = moments[done + 1];
  const near = [last, next].flatMap((moment) => (moment === undefined ? [] : [moment]));
  if (last === undefined) return near.map(({ state }) => state);
  if (kind !== "snapshot-only") return last.writes === writes ? [last.state] : near.map(({ state }) => state);
  return [...moments.slice(0, done).filter(({ taken }) => last.taken - taken < EVERY), ...near].map(({ state }) => state);
}

describe.each(supportedBackends())("[DU13] the whole life of a session on %s", (kind) => {
  test("cut after any write is a state that was reached and that nothing acknowledged since is missing from", async () => {
    let cuts = 0;
    await fc.assert(fc.asyncProperty(deeds, async (script) => {
      const { written, moments } = await live(kind, script);
      const disk = new MemoryDisk();
      for (const [at, changes] of written.entries()) {
        perform(disk.records, changes);
        const found = await recover(options(kind, new MemoryByteStore(disk), fenceFor(ID, "x", 1)));
        expect(mayBeFound(kind, moments, at + 1).map((state) => state.join())).toContain(found.state.join());
        expect(found.tornRecord).toBeUndefined();
        cuts += 1;
      }
    }), { numRuns: 150 });
    expect(cuts).toBeGreaterThan(1_000);
  });

  test("cut in the middle of a record is the state before it, reported as torn, or an error that names the record", async () => {
    const seen = { torn: 0, named: 0 };
    await fc.assert(fc.asyncProperty(deeds, fc.nat(), fc.nat(), async (script, which, length) => {
      const { written } = await live(kind, script);
      const at = which % written.length;
      const change = written[at]?.[0];
      if (change === undefined || "from" in change || change.value === undefined) return;
      const disk = new MemoryDisk();
      for (const changes of written.slice(0, at)) perform(disk.records, changes);
      const { epoch = 0 } = (await readFence(new MemoryByteStore(disk), ID)).fence ?? {};
      const before = await recover(options(kind, new MemoryByteStore(disk), fenceFor(ID, "x", 1)));
      disk.records.set(change.key, change.value.slice(0, length % change.value.length));
      try {
        const session = await DurableSession.open(options(kind, new MemoryByteStore(disk), fenceFor(ID, "next", epoch + 1)));
        expect(session.opening.tornRecord).toBe(change.key);
        expect(disk.records.has(change.key)).toBe(false);
        if (session.opening.existed && session.lifecycle === "crashed") await session.restart();
        expect(session.state).toEqual(before.state);
        seen.torn += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: "durable-corrupt", record: change.key });
        seen.named += 1;
      }
    }), { numRuns: 300 });
    expect(seen.named).toBeGreaterThan(0);
    if (kind !== "snapshot-only") expect(seen.torn).toBeGreaterThan(100);
  });
});

interface Written {
  readonly owner: string;
  readonly epoch: number;
  /** The epoch in force when it was written. */
  readonly inForce: number;
}

/** The disk several tabs share, and who changed it under which epoch, in order. */
class Witness {
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly writes: Written[] = [];
  inForce = 0;
  readonly grants: Map<number, string> = new Map();
  /** Resolves the next time somebody takes over. */
  takenOver: Promise<void> = Promise.resolve();
  #tell: () => void = () => {};

  constructor() {
    this.#expectTakeover();
  }

  granted({ owner, epoch }: OwnershipFence): void {
    expect(this.grants.get(epoch) ?? owner, `epoch ${epoch}`).toBe(owner);
    this.grants.set(epoch, owner);
    this.#tell();
    this.#expectTakeover();
  }

  /** Nobody takes over any more. */
  end(): void {
    this.#tell();
  }

  #expectTakeover(): void {
    this.takenOver = new Promise((resolve) => (this.#tell = resolve));
  }
}

/** One tab's way to the disk: its calls wait for their turn, and while it is frozen they wait for its end. */
class TabStore implements ByteStore {
  readonly #owner: string;
  readonly #witness: Witness;
  readonly #base: MemoryByteStore;
  readonly #turn: () => Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();
  thawed: Promise<void> = Promise.resolve();

  constructor(owner: string, witness: Witness, turn: () => Promise<unknown>) {
    this.#owner = owner;
    this.#witness = witness;
    this.#base = new MemoryByteStore(witness.disk);
    this.#turn = turn;
  }

  read(key: string): Promise<Uint8Array | undefined> {
    return this.#inTurn(() => this.#base.read(key));
  }

  readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#inTurn(() => this.#base.readRange(from, to));
  }

  write(ops: readonly ByteStoreOp[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#base.write(ops);
      const { writes, inForce } = this.#witness;
      for (const op of ops) {
        if (op.type === "put" && op.key.startsWith("journal/")) writes.push({ owner: this.#owner, epoch: decodeJournalRecord(op.value)[0]?.epoch ?? 0, inForce });
        if (op.type === "put" && op.key.startsWith("snapshot/")) writes.push({ owner: this.#owner, epoch: decodeStateImage(op.key, op.value).epoch, inForce });
      }
    });
  }

  compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return this.#inTurn(async () => {
      const did = await this.#base.compareAndSet(key, expected, next);
      if (did && next !== undefined) this.#witness.inForce = decodeFence(next).epoch;
      return did;
    });
  }

  async close(): Promise<void> {}

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      await this.#turn();
      await this.thawed;
      return call();
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

const REFUSALS: readonly unknown[] = ["stale-owner", "split-brain"];
const steps = fc.array(fc.constantFrom("take" as const, "append" as const, "append" as const, "append" as const, "freeze" as const), { minLength: 1, maxLength: 8 });

describe.each(supportedBackends())("[DU11] three owners racing for a session on %s in any interleaving, some of them frozen", (kind) => {
  test("never write under one epoch, and none after a newer one has taken over", async () => {
    const seen = { refused: 0, appended: 0 };
    await fc.assert(fc.asyncProperty(fc.scheduler(), fc.tuple(steps, steps, steps), async (scheduler, scripts) => {
      const witness = new Witness();
      const acknowledged: string[] = [];
      const play = async (owner: string, script: readonly ("take" | "append" | "freeze")[]): Promise<void> => {
        const store = new TabStore(owner, witness, () => scheduler.schedule(Promise.resolve(), owner));
        let session: DurableSession<State, string> | undefined;
        let isStale = false;
        const taking = async (): Promise<void> => {
          const fence = await new StoreFence(store).takeOver(ID, owner);
          witness.granted(fence);
          isStale = false;
          session = await DurableSession.open(options(kind, store, fence));
          if (session.opening.existed) {
            await session.restart();
            await session.reconnect("r", 0);
          } else {
            await session.start("r");
          }
        };
        for (const [at, step] of script.entries()) {
          try {
            if (step === "freeze") store.thawed = witness.takenOver;
            if (step === "take") await taking();
            if (step === "append" && session?.lifecycle === "live") {
              const name = `${owner}/${at}`;
              await session.append(name);
              expect(isStale, "what was refused once is refused for ever").toBe(false);
              acknowledged.push(name);
              seen.appended += 1;
            }
          } catch (error) {
            if (!REFUSALS.includes((error as { code?: unknown }).code)) throw error;
            isStale = true;
            seen.refused += 1;
          }
        }
      };
      let left = scripts.length;
      const all = scripts.map((script, at) => play(`owner ${at}`, script).finally(() => {
        left -= 1;
        if (left >= 0) witness.end();
      }));
      // Whoever is frozen when nothing else moves any more is thawed.
      const moving = Promise.all(all);
      for (let isOver = false; !isOver;) {
        isOver = await Promise.race([moving.then(() => true), scheduler.waitIdle().then(() => false)]);
        if (!isOver) witness.end();
      }
      for (const { owner, epoch, inForce } of witness.writes) expect([owner, epoch]).toEqual([witness.grants.get(epoch), inForce]);
      const store = new MemoryByteStore(witness.disk);
      const found = await recover(options(kind, store, fenceFor(ID, "x", 1)));
      if (kind !== "snapshot-only") expect(found.state.filter((name) => acknowledged.includes(name))).toHaveLength(acknowledged.length);
      expect(new Set(found.state).size).toBe(found.state.length);
      if (witness.grants.size > 0) expect((await readFence(store, ID)).fence?.epoch).toBe(Math.max(...witness.grants.keys()));
      expect(witness.disk.records.has(fenceKey(ID))).toBe(witness.grants.size > 0);
    }), { numRuns: 200 });
    expect(seen.appended).toBeGreaterThan(200);
    expect(seen.refused).toBeGreaterThan(50);
  });
});
