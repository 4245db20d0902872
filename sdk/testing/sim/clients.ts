// The workload: closed-loop clients of a small key-value store. A client asks one thing at a time and retries it, under the same serial
// and through other peers, until it is answered.
import { below, fraction, type Random } from "../../base/index.ts";
import { between, chance, pick } from "./draw.ts";
import type { Outcome } from "./engine.ts";
import { encodeCommand, type KvCommand } from "./kv.ts";
import type { RegisterInput, RegisterOperation } from "./linearizability.ts";
import type { SimPeer } from "./peer.ts";
import { demand } from "./violation.ts";
import type { SimWorld } from "./world.ts";

const MS = 1_000;
/** After this many attempts a client whose tab is down gives up and goes on elsewhere. */
const ATTEMPTS_MAX = 5;

/** A client's operation while it is open. */
interface Open {
  readonly key: number;
  readonly input: RegisterInput;
  readonly serial: number;
  readonly payload: Uint8Array | undefined;
  readonly invoked: number;
  /** Raised with each attempt, so that answers to earlier ones still count but their timeouts do not. */
  attempt: number;
  /** So far every attempt was refused before anything happened. */
  onlyRefused: boolean;
}

/** A finished or abandoned operation on one key. */
export interface KeyedOperation extends RegisterOperation {
  readonly key: number;
}

interface Answer {
  readonly at: SimPeer;
  readonly again: (delayMs: number) => void;
  /** Every attempt before the one answered had been refused. */
  readonly refusedBefore: boolean;
}

/** One client. */
export class SimClient {
  readonly #base: string;
  readonly history: KeyedOperation[] = [];
  readonly #world: SimWorld;
  readonly #random: Random;
  readonly #values: { next: number };
  #serial = 0;
  #open: Open | undefined;
  #home: SimPeer;
  /** The identity it writes through: a durable client id has one writer, so when that one's storage is lost the client starts anew. */
  #writer: string;
  #incarnation = 0;
  #stopped = false;

  constructor(name: string, world: SimWorld, shared: { readonly random: Random; readonly values: { next: number } }) {
    this.#base = name;
    this.#world = world;
    this.#random = shared.random;
    this.#values = shared.values;
    this.#home = pick(shared.random, world.people);
    this.#writer = this.#home.id;
  }

  /** Its client id. */
  get name(): string {
    return `${this.#base}.${this.#incarnation}`;
  }

  /** Begins, after a short while. */
  start(): void {
    this.#world.queue.after(between(this.#random, 0, this.#world.plan.workload.pauseMax), () => this.#next());
  }

  /** Asks nothing new; what is open goes on being retried. */
  stop(): void {
    this.#stopped = true;
  }

  get isIdle(): boolean {
    return this.#open === undefined;
  }

  /** At the end of a run: what is still open may or may not have happened. */
  abandon(): void {
    if (this.#open === undefined) return;
    this.#record(this.#open, undefined, undefined);
    this.#open = undefined;
  }

  #moveTo(peer: SimPeer): void {
    this.#home = peer;
    this.#writer = peer.id;
    this.#incarnation += 1;
    this.#serial = 0;
  }

  /** Asks for one more thing now. */
  #next(): void {
    if (this.#stopped || this.#open !== undefined) return;
    // Half of the time it writes on through the same peer; otherwise it goes on elsewhere, as somebody new.
    if (this.#home.id !== this.#writer || chance(this.#random, 0.02)) this.#moveTo(pick(this.#random, this.#world.people));
    const { keys, readShare, valueBytes } = this.#world.plan.workload;
    const key = below(this.#random, keys);
    const input = this.#input(key, readShare);
    if (input.kind !== "read") {
      this.#serial += 1;
      this.#world.proposed.add(`${this.name} ${this.#serial}`);
    }
    const command: KvCommand | undefined = input.kind === "read" ? undefined : { key, ...input };
    const payload = command === undefined ? undefined : encodeCommand(command, below(this.#random, valueBytes + 1));
    this.#open = { key, input, serial: this.#serial, payload, invoked: this.#world.queue.now, attempt: 0, onlyRefused: true };
    this.#attempt(this.#open);
  }

  #input(key: number, readShare: number): RegisterInput {
    if (chance(this.#random, readShare)) return { kind: "read" };
    const value = (this.#values.next += 1);
    if (chance(this.#random, 0.6)) return { kind: "write", value };
    // Mostly a value that may well be there, so that compare-and-sets also succeed.
    const latest = this.#home.engine?.kv.values[key] ?? 0;
    return { kind: "cas", expected: chance(this.#random, 0.8) ? latest : value - 1, value };
  }

  #attempt(open: Open): void {
    if (this.#open !== open) return;
    if (this.#home.id !== this.#writer || (open.attempt >= ATTEMPTS_MAX && this.#home.engine === undefined)) {
      // Nobody will ever hear what became of it.
      this.abandon();
      this.#moveTo(pick(this.#random, this.#world.people));
      return this.#next();
    }
    if (open.payload !== undefined && open.onlyRefused) {
      demand("C5", !this.#world.model.effects.has(`${this.name} ${open.serial}`), () => `serial ${open.serial} of ${this.name} took effect although it was refused every time`);
    }
    open.attempt += 1;
    const { attempt, payload } = open;
    const peer = this.#home;
    const { electionTimeoutMsMax, proposeTimeoutMs } = this.#world.plan.raft;
    const again = (delayMs: number): void =>
      this.#world.queue.after(delayMs * MS, () => {
        if (this.#open !== open || open.attempt !== attempt) return;
        if (open.payload === undefined) this.#moveTo(pick(this.#random, this.#world.people));
        this.#attempt(open);
      });
    // Until this attempt is refused, it may happen.
    const refusedBefore = open.onlyRefused;
    open.onlyRefused = false;
    const asked = payload === undefined
      ? this.#world.ask(peer, "read", (engine) => engine.readIndex(), (outcome, at) => this.#answered(open, outcome, { at, again, refusedBefore }))
      : this.#world.ask(peer, "propose", (engine) => engine.propose(this.name, open.serial, payload), (outcome, at) => this.#answered(open, outcome, { at, again, refusedBefore }));
    if (!asked) open.onlyRefused = refusedBefore;
    // A reload or a dead tab gives no answer at all.
    again(asked ? Math.floor(proposeTimeoutMs * 1.2) : Math.ceil(electionTimeoutMsMax * fraction(this.#random)));
  }

  #answered(open: Open, outcome: Outcome, { at, again, refusedBefore }: Answer): void {
    if (this.#open !== open) return;
    const { coverage, model, plan } = this.#world;
    const soon = Math.ceil((plan.raft.heartbeatMs + plan.raft.electionTimeoutMsMax * fraction(this.#random)) / 2);
    switch (outcome.outcome) {
      case "committed": {
        const effect = model.effects.get(`${this.name} ${open.serial}`);
        demand("C1", effect !== undefined && effect.index === outcome.index, () => `${at.id} says serial ${open.serial} of ${this.name} committed at ${outcome.index}; it took effect at ${String(effect?.index)}`);
        return this.#close(open, effect?.took === true ? 1 : 0);
      }
      case "read": {
        const engine = at.engine;
        demand("C2", engine !== undefined && engine.appliedIndex >= outcome.index, () => `${at.id} answers a read at ${outcome.index} having applied ${String(engine?.appliedIndex)}`);
        if (at.sheet.role === "leader") coverage.hit("read-by-leader");
        return this.#close(open, engine?.kv.values[open.key] ?? 0);
      }
      case "refused":
        open.onlyRefused = refusedBefore;
        coverage.hit(open.payload === undefined ? "read-refused" : outcome.reason === "busy" ? "refused-busy" : "outcome-unknown");
        return again(soon);
      case "unknown":
        coverage.hit(open.payload === undefined ? "read-refused" : "outcome-unknown");
        return again(soon);
      case "done":
        return;
    }
  }

  #close(open: Open, output: number): void {
    this.#open = undefined;
    this.#record(open, this.#world.queue.now, output);
    const { pauseMax } = this.#world.plan.workload;
    this.#world.queue.after(between(this.#random, 0, pauseMax), () => this.#next());
  }

  #record(open: Open, returned: number | undefined, output: number | undefined): void {
    this.history.push({ client: this.name, key: open.key, input: open.input, invoked: open.invoked, returned, output });
  }
}
