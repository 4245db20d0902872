// What whoever leads does for a cluster: looks who is there, and writes into the log who shall own what, moving as little as possible.
import type { Clock, Logger, PeerId } from "../base/index.ts";
import type { AssignCommand } from "./cluster-command.ts";
import { CLUSTER_NODES_MAX, type ClusterTable } from "./cluster-table.ts";
import type { ShardSetup } from "./serving-peers.ts";
import { ShardTable } from "./shard.ts";

/** A peer that may own shards, as the leader sees it. */
export interface Candidate {
  readonly peer: PeerId;
  /** `away` is silent, or has no link right now; it keeps what it owns. Peers that are gone are no candidates. */
  readonly standing: "here" | "away";
  /** It said that it serves shards. */
  readonly serves: boolean;
}

/** Who shall own shards: who is here and serves, and who owned before and may come back. Sorted; undefined: leave it as it is. */
export function wantedNodes(table: ClusterTable, candidates: readonly Candidate[]): readonly string[] | undefined {
  const owns = new Set(table.nodes);
  const wanted = candidates.filter(({ peer, standing, serves }) => (standing === "here" ? serves : owns.has(peer))).map(({ peer }) => peer as string).sort().slice(0, CLUSTER_NODES_MAX);
  const isSame = wanted.length === table.nodes.length && wanted.every((node, at) => node === table.nodes[at]);
  return isSame || wanted.length === 0 ? undefined : wanted;
}

/** How long hashing goes on before the page has a turn, ms: half a frame. */
const SLICE_MS = 8;

/** A pause for `ShardTable.setNodesGently` that gives the page a turn every 8 ms. */
export function breather(clock: Clock): () => Promise<void> | undefined {
  let began = clock.now();
  return () => {
    if (clock.now() - began < SLICE_MS) return undefined;
    return new Promise((resolve) => void clock.after(0, () => {
      began = clock.now();
      resolve();
    }));
  };
}

export interface AssignerOptions {
  /** How the shards of this match are set up, whatever this peer would have them be. */
  readonly setup: () => ShardSetup;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: () => ClusterTable;
  /** Undefined while this peer does not lead. */
  readonly candidates: () => readonly Candidate[] | undefined;
  readonly assign: (command: AssignCommand) => Promise<void>;
}

/** Pause after an assignment that failed, ms. */
const AGAIN_MS = 500;

/** Runs while this peer leads; everywhere else it only looks. */
export class Assigner {
  readonly #options: AssignerOptions;
  #setup: ShardSetup;
  #shards: ShardTable;
  #isBusy = false;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: AssignerOptions) {
    this.#options = options;
    this.#setup = options.setup();
    this.#shards = new ShardTable(this.#setup.numShards, this.#setup.seed);
  }

  /** Hashes computed so far: what the changes cost. */
  get hashes(): number {
    return this.#shards.hashes;
  }

  /** Something changed: looks whether there is something to do. */
  look(): void {
    if (this.#isBusy || this.#isStopped || this.#wanted() === undefined) return;
    this.#isBusy = true;
    void this.#assign().then(
      () => this.#ended(),
      (error: unknown) => {
        this.#options.logger.debug("an assignment was not made", error);
        this.#cancel = this.#options.clock.after(AGAIN_MS, () => this.#ended());
      },
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #wanted(): readonly string[] | undefined {
    const candidates = this.#options.candidates();
    return candidates && wantedNodes(this.#options.table(), candidates);
  }

  async #assign(): Promise<void> {
    const { clock, table, assign } = this.#options;
    const nodes = this.#wanted();
    if (nodes === undefined) return;
    const { numShards, seed } = this.#options.setup();
    if (numShards !== this.#setup.numShards || seed !== this.#setup.seed) {
      this.#setup = { numShards, seed };
      this.#shards = new ShardTable(numShards, seed);
    }
    await this.#shards.setNodesGently(nodes, breather(clock));
    // The hashing took its time: who was wanted then may not be now.
    if (this.#isStopped || this.#wanted()?.join() !== nodes.join()) return;
    const place = new Map(nodes.map((node, at) => [node, at]));
    const targets = Uint8Array.from(this.#shards.owners(), (owner) => place.get(owner ?? "") ?? 0);
    await assign({ type: "assign", base: table().index, numShards, seed, nodes, targets });
  }

  #ended(): void {
    this.#isBusy = false;
    this.look();
  }
}
