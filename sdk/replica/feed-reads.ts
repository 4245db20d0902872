// Reads of who is fed: asked of the leader over the channel of feeds, and answered there by its machine.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { RaftMachine, ReadResult } from "../raft/index.ts";

/** Numbers of reads asked for others begin here: a node's own never come so far. */
const FIRST_ID: number = 2 ** 40;
/** Reads asked for others at a time; one more is not answered, and asked again. */
const OPEN_MAX = 1024;
/** Of them, for one peer: whoever asks without end keeps nobody else waiting. */
const OPEN_PER_PEER_MAX = 64;

/** One node's half of both ends. */
export class FeedReads {
  /** Asked for others: number at the machine → whom to tell. */
  readonly #forOthers = new Map<number, { readonly to: PeerId; readonly id: number }>();
  /** Own, on their way: number → ticks. */
  readonly #own = new Map<number, number>();
  #nextId = FIRST_ID;

  /** Asks the machine of a leader on behalf of `to`. */
  askFor(raft: RaftMachine, to: PeerId, id: number): boolean {
    if (this.#forOthers.size >= OPEN_MAX || this.#openFor(to) >= OPEN_PER_PEER_MAX) return false;
    this.#forOthers.set(this.#nextId, { to, id });
    raft.readIndex(this.#nextId);
    this.#nextId += 1;
    return true;
  }

  #openFor(peer: PeerId): number {
    let open = 0;
    for (const { to } of this.#forOthers.values()) if (to === peer) open += 1;
    return open;
  }

  /** Whom the machine's answer is for; undefined when it is this node's own. */
  takeAnswer({ id }: ReadResult): { readonly to: PeerId; readonly id: number } | undefined {
    const asked = this.#forOthers.get(id);
    this.#forOthers.delete(id);
    return asked;
  }

  asked(id: number): void {
    this.#own.set(id, 0);
  }

  /** An answer came; undefined when nobody asked. */
  answered(id: number, index: LogIndex): ReadResult | undefined {
    return this.#own.delete(id) ? { id, index: index === 0 ? undefined : index } : undefined;
  }

  /** A tick passed: those whose answer was lost. */
  tick(patienceTicks: number): readonly ReadResult[] {
    const lost: ReadResult[] = [];
    for (const [id, ticks] of this.#own) {
      if (ticks < patienceTicks) this.#own.set(id, ticks + 1);
      else if (this.#own.delete(id)) lost.push({ id, index: undefined });
    }
    return lost;
  }
}
