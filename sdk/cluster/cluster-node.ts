// One node of a cluster: serves the shards it owns, tells who it is, and stops serving when it is told to.
import { InvalidArgumentError, utf8, type Clock } from "../base/index.ts";
import { randomId, systemClock } from "../platform/index.ts";
import { KeyRequiredError } from "./errors.ts";
import type { Envelope } from "./envelope.ts";
import { noMetrics, type ClusterMetrics } from "./metrics.ts";
import type { ShardHandler, Transport } from "./transport.ts";

/** Asks a node who it is; answered as JSON `{ nodeId, shards }`. */
export const NODE_INFO_TYPE = "clstr.node.info";

/** What a node says of itself. */
export interface NodeInfo {
  readonly nodeId: string;
  readonly shards: readonly number[];
}

/** How a node is made. */
export interface ClusterNodeOptions {
  /** Default: `node-` and a random part. */
  readonly nodeId?: string | undefined;
  readonly transport: Transport;
  /** The shards it owns at first. */
  readonly shards: readonly number[];
  readonly handler: ShardHandler;
  readonly metrics?: ClusterMetrics | undefined;
  /** Measures handlers. Default: the page's own. */
  readonly clock?: Clock | undefined;
  /** Random part of a made-up id. Default: 10 letters and digits. */
  readonly makeId?: (() => string) | undefined;
}

/** Serves shards on a transport. */
export class ClusterNode {
  readonly nodeId: string;
  readonly #options: ClusterNodeOptions;
  readonly #clock: Clock;
  readonly #metrics: ClusterMetrics;
  readonly #served = new Map<number, () => Promise<void>>();
  #wanted: ReadonlySet<number>;
  #running = false;
  #changes: Promise<void> = Promise.resolve();

  constructor(options: ClusterNodeOptions) {
    const { nodeId = `node-${(options.makeId ?? (() => randomId(10)))()}`, clock = systemClock } = options;
    if (nodeId === "") throw new InvalidArgumentError("a node needs an id");
    this.nodeId = nodeId;
    this.#options = options;
    this.#clock = clock;
    this.#metrics = options.metrics ?? noMetrics;
    this.#wanted = new Set(options.shards);
  }

  /** The shards served now, ascending. */
  get shards(): readonly number[] {
    return [...this.#served.keys()].sort((a, b) => a - b);
  }

  /** Serves until `signal` fires. Resolves when nothing is served any more; rejects when subscribing failed. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new InvalidArgumentError(`node ${this.nodeId} is running already`);
    this.#running = true;
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      await this.setShards([...this.#wanted]);
      await stopped;
    } finally {
      this.#running = false;
      await this.#apply();
    }
  }

  /** Makes `shards` the ones it owns: new ones are subscribed, lost ones dropped. Calls are carried out one after another. */
  setShards(shards: readonly number[]): Promise<void> {
    this.#wanted = new Set(shards);
    return this.#apply();
  }

  #apply(): Promise<void> {
    const change = this.#changes.then(() => this.#settle());
    this.#changes = change.catch(() => {});
    return change;
  }

  async #settle(): Promise<void> {
    const wanted = this.#running ? this.#wanted : new Set<number>();
    const lost = [...this.#served].filter(([shard]) => !wanted.has(shard));
    for (const [shard] of lost) this.#served.delete(shard);
    const won = [...wanted].filter((shard) => !this.#served.has(shard));
    // Side by side: over a wire each takes a round trip.
    const ended = await Promise.allSettled([...lost.map(async ([, unsubscribe]) => unsubscribe()), ...won.map((shard) => this.#serve(shard))]);
    this.#metrics.shardsOwned(this.#served.size);
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  async #serve(shard: number): Promise<void> {
    this.#served.set(shard, await this.#options.transport.subscribe(shard, (envelope, signal) => this.#handle(envelope, signal)));
  }

  async #handle(envelope: Envelope, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (envelope.type === NODE_INFO_TYPE) return utf8(JSON.stringify({ nodeId: this.nodeId, shards: this.shards } satisfies NodeInfo));
    const { handler } = this.#options;
    const began = this.#clock.now();
    let ok = false;
    this.#metrics.handlersActive(1);
    try {
      const answer = await handler(envelope, signal);
      ok = true;
      return answer;
    } finally {
      this.#metrics.handlersActive(-1);
      this.#metrics.handler(envelope.type, ok, (this.#clock.now() - began) / 1000);
    }
  }
}

/** The key of a keyed call. Throws `KeyRequiredError` when empty. */
export function requiredKey(key: string): string {
  if (key === "") throw new KeyRequiredError();
  return key;
}
