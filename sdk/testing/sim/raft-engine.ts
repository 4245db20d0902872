// The machine alone, with the least that makes a replicated store of it: a key-value state, a table of applied serials, waiting requests.
import { ByteReader, ByteWriter, MalformedError, NO_BYTES, type LogIndex, type PeerId } from "../../base/index.ts";
import { decodeMessage, encodeMessage, ENTRY_COMMAND, isWitness, Raft, type Entry, type MembershipTarget, type RaftMachine, type Snapshot, type WorkOptions } from "../../raft/index.ts";
import type { Applied, EngineKind, EngineOptions, EngineWork, Outcome, SimEngine } from "./engine.ts";
import { applyCommand, decodeKv, EMPTY_KV, encodeKv, type KvState } from "./kv.ts";

interface Waiting {
  readonly key: string;
  readonly deadline: number;
}

/** Client → serial → where it took effect. A simulated minute is short enough to remember all. */
type Sessions = Map<string, Map<number, LogIndex>>;

/** Drives {@link Raft} directly; every message still crosses the wire as bytes. */
class RaftEngine implements SimEngine {
  readonly machine: RaftMachine;
  kv: KvState = EMPTY_KV;
  appliedIndex: LogIndex = 0;
  #sessions: Sessions = new Map();
  #ticks = 0;
  #tickets = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #reads = new Map<number, LogIndex | undefined>();
  #settled: { readonly ticket: number; readonly outcome: Outcome }[] = [];
  readonly #timeoutTicks: number;

  constructor({ id, config, random, restored, trace }: EngineOptions) {
    this.machine = new Raft({ id, config, random, restored, trace });
    this.#timeoutTicks = Math.ceil(config.proposeTimeoutMs / config.tickMs);
    if (restored.snapshot !== undefined) this.#install(restored.snapshot);
  }

  tick(): void {
    this.#ticks += 1;
    this.machine.tick();
    for (const [ticket, { deadline }] of this.#waiting) if (deadline <= this.#ticks) this.#settle(ticket, { outcome: "unknown" });
  }

  observeTime(wallMs: number): void {
    this.machine.observeTime(wallMs);
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    let message;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      if (error instanceof MalformedError) return;
      throw error;
    }
    this.machine.step(from, message);
  }

  propose(client: string, serial: number, payload: Uint8Array): number {
    const ticket = this.#ticket(`${client} ${serial}`);
    const command = new ByteWriter().text(client).uint(serial).bytes(payload).finish();
    const first = this.#sessions.get(client)?.get(serial);
    if (first !== undefined) this.#settle(ticket, { outcome: "committed", index: first });
    else if (this.machine.role === "leader") {
      const result = this.machine.propose([command]);
      if ("refused" in result) this.#settle(ticket, { outcome: "refused", reason: result.refused });
    } else if (!this.machine.forward([command])) this.#settle(ticket, { outcome: "refused", reason: "not-leader" });
    return ticket;
  }

  readIndex(): number {
    const ticket = this.#ticket("");
    this.#reads.set(ticket, undefined);
    this.machine.readIndex(ticket);
    return ticket;
  }

  changeMembership(target: MembershipTarget): number {
    const ticket = this.#ticket("");
    const result = this.machine.changeMembership(target);
    this.#settle(ticket, "refused" in result ? { outcome: "refused", reason: result.refused } : { outcome: "done" });
    return ticket;
  }

  transferLeadership(to: PeerId): number {
    const ticket = this.#ticket("");
    const refused = this.machine.transferLeadership(to);
    this.#settle(ticket, refused === undefined ? { outcome: "done" } : { outcome: "refused", reason: refused.refused });
    return ticket;
  }

  compact(): boolean {
    return this.machine.compact(this.appliedIndex, isWitness(this.machine.id) ? NO_BYTES : encodeState(this.kv, this.#sessions));
  }

  part(): void {
    this.machine.part();
  }

  hasWork(options?: WorkOptions): boolean {
    return this.#settled.length > 0 || this.machine.hasWork(options);
  }

  takeWork(options?: WorkOptions): EngineWork {
    const work = this.machine.takeWork(options);
    const applied: Applied[] = [];
    if (work.install !== undefined) {
      this.#install(work.install);
      if (!isWitness(this.machine.id)) applied.push({ type: "install", index: work.install.index });
    }
    for (const entry of work.committed) this.#apply(entry, applied);
    for (const { id, index } of work.reads) {
      if (index === undefined) this.#settle(id, { outcome: "refused", reason: "unconfirmed" });
      else if (this.#reads.has(id)) this.#reads.set(id, index);
    }
    for (const [ticket, index] of this.#reads) if (index !== undefined && index <= this.appliedIndex) this.#settle(ticket, { outcome: "read", index });
    const settled = this.#settled;
    this.#settled = [];
    return { frames: work.messages.map(({ to, message }) => ({ to, messages: [message], bytes: encodeMessage(message) })), write: work.write, applied, settled };
  }

  writeDone(id: number): void {
    this.machine.writeDone(id);
  }

  #ticket(key: string): number {
    this.#tickets += 1;
    this.#waiting.set(this.#tickets, { key, deadline: this.#ticks + this.#timeoutTicks });
    return this.#tickets;
  }

  #settle(ticket: number, outcome: Outcome): void {
    this.#reads.delete(ticket);
    if (this.#waiting.delete(ticket)) this.#settled.push({ ticket, outcome });
  }

  #install(snapshot: Snapshot): void {
    this.appliedIndex = snapshot.index;
    if (isWitness(this.machine.id)) return;
    ({ kv: this.kv, sessions: this.#sessions } = decodeState(snapshot.data));
  }

  #apply(entry: Entry, applied: Applied[]): void {
    if (entry.index !== this.appliedIndex + 1) throw new Error(`entry ${entry.index} is handed up after ${this.appliedIndex}`);
    this.appliedIndex = entry.index;
    if (entry.kind !== ENTRY_COMMAND || isWitness(this.machine.id)) return;
    const reader = new ByteReader(entry.data);
    const [client, serial, payload] = [reader.text(), reader.uint(), reader.bytes()];
    const session = this.#sessions.get(client) ?? new Map<number, LogIndex>();
    const duplicate = session.has(serial);
    if (!duplicate) {
      this.kv = applyCommand(this.kv, payload).state;
      this.#sessions.set(client, session.set(serial, entry.index));
    }
    applied.push({ type: "command", index: entry.index, client, serial, payload, duplicate, time: entry.time, proposer: client });
    const index = session.get(serial) ?? entry.index;
    for (const [ticket, { key }] of this.#waiting) if (key === `${client} ${serial}`) this.#settle(ticket, { outcome: "committed", index });
  }
}

function encodeState(kv: KvState, sessions: Sessions): Uint8Array {
  const writer = new ByteWriter().bytes(encodeKv(kv));
  writer.list([...sessions], ([client, session]) => writer.text(client).list([...session], ([serial, index]) => writer.uint(serial).uint(index)));
  return writer.finish();
}

function decodeState(bytes: Uint8Array): { kv: KvState; sessions: Sessions } {
  const reader = new ByteReader(bytes);
  const kv = decodeKv(reader.bytes());
  const session = (): Map<number, LogIndex> => new Map(reader.list(() => [reader.uint(), reader.uint()] as const, 100_000));
  return { kv, sessions: new Map(reader.list(() => [reader.text(), session()] as const, 100_000)) };
}

/** The machine alone. */
export const raftEngine: EngineKind = {
  name: "raft",
  start: (options) => new RaftEngine(options),
};
