// A witness under test: frames and records as they really are, and nobody to ask it anything.
import type { LogIndex, PeerId } from "../../base/index.ts";
import { decodeMessage, type RaftMachine, type WorkOptions } from "../../raft/index.ts";
import { messagesOf } from "../../replica/frame.ts";
import { WitnessCore, witnessGroupOf } from "../../replica/index.ts";
import type { EngineOptions, EngineWork, Outcome, SimEngine } from "./engine.ts";
import { EMPTY_KV, type KvState } from "./kv.ts";

/** Drives a {@link WitnessCore}. Whatever it is asked it refuses. */
export class WitnessEngine implements SimEngine {
  readonly machine: RaftMachine;
  readonly kv: KvState = EMPTY_KV;
  readonly #core: WitnessCore;
  #settled: { readonly ticket: number; readonly outcome: Outcome }[] = [];
  #tickets = 0;

  constructor({ id, config, random, restored, trace }: EngineOptions) {
    this.#core = new WitnessCore({ id, group: witnessGroupOf("simulation"), config, random, restored, trace });
    this.machine = this.#core.raft;
  }

  get appliedIndex(): LogIndex {
    return this.#core.appliedIndex;
  }

  tick(): void {
    this.#core.tick();
  }

  observeTime(): void {}

  receive(from: PeerId, bytes: Uint8Array): void {
    this.#core.receive(from, bytes);
  }

  propose(): number {
    return this.#refuse();
  }

  readIndex(): number {
    return this.#refuse();
  }

  changeMembership(): number {
    return this.#refuse();
  }

  transferLeadership(): number {
    return this.#refuse();
  }

  compact(): boolean {
    return this.#core.compact();
  }

  part(): void {
    this.machine.part();
  }

  hasWork(options?: WorkOptions): boolean {
    return this.#settled.length > 0 || this.#core.hasWork(options);
  }

  takeWork(options?: WorkOptions): EngineWork {
    const { frames, write } = this.#core.takeWork(options);
    const settled = this.#settled;
    this.#settled = [];
    return { frames: frames.map(({ to, bytes }) => ({ to, bytes, messages: messagesOf(bytes).map(decodeMessage) })), write, applied: [], settled };
  }

  writeDone(id: number): void {
    this.#core.writeDone(id);
  }

  #refuse(): number {
    this.#tickets += 1;
    this.#settled.push({ ticket: this.#tickets, outcome: { outcome: "refused", reason: "not-leader" } });
    return this.#tickets;
  }
}
