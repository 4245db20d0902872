// One tab: a place on the network, an identity with its disk, and (while it is up) a running engine.
import { peerId, type PeerId, type Random } from "../../base/index.ts";
import { witnessId } from "../../raft/index.ts";
import type { SimDisk } from "./disk.ts";
import { stream, STREAM } from "./draw.ts";
import type { SimEngine } from "./engine.ts";
import type { NodeSheet } from "./history.ts";
import type { SimFrame } from "./network.ts";

/** Frames a frozen tab's channels hold at most; a real channel's buffers are larger than anything sent in a simulated minute. */
const INBOX_MAX = 20_000;

export class SimPeer {
  readonly slot: number;
  /** Nobody sits here: it votes and holds no content. */
  readonly isWitness: boolean;
  /** For its jitter, its crashes and the order of things at a thaw. */
  readonly random: Random;
  id: PeerId;
  sheet: NodeSheet;
  engine: SimEngine | undefined;
  /** Raised at every start and stop, so that timers of an earlier life do nothing. */
  life = 0;
  frozen = false;
  /** Ticks that fell due while frozen. */
  overdueTicks = 0;
  readonly inbox: SimFrame[] = [];
  /** A write that became durable while the tab was frozen. */
  unreportedWrite: number | undefined;
  /** Length of a tick against true time; 0.5 to 2. */
  tickRate = 1;
  /** Its wall clock against true time, ms. */
  wallOffsetMs = 0;
  /** Other faults hold it down until then, microseconds. */
  downUntil = 0;
  /** Raised by every freeze and crash, so that overlapping ones do not end each other. */
  faultEpoch = 0;
  #version = 0;

  constructor(slot: number, seed: number, isWitness: boolean) {
    this.slot = slot;
    this.isWitness = isWitness;
    this.random = stream(seed, STREAM.peers + slot);
    this.id = this.#named(`n${slot}`);
    // Set before use: the world gives every peer a sheet when it makes its disk.
    this.sheet = undefined as unknown as NodeSheet;
  }

  get disk(): SimDisk {
    return this.sheet.disk;
  }

  /** True when it is up and not frozen. */
  get isAwake(): boolean {
    return this.engine !== undefined && !this.frozen;
  }

  /** The id it comes back under after its storage was lost; an id is never used twice. */
  nextId(): PeerId {
    this.#version += 1;
    return this.#named(`n${this.slot}.${this.#version}`);
  }

  #named(name: string): PeerId {
    return this.isWitness ? witnessId(name) : peerId(name);
  }

  /** Takes in a frame while frozen. */
  keep(frame: SimFrame): void {
    if (this.inbox.length < INBOX_MAX) this.inbox.push(frame);
  }
}
