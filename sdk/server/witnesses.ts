// The witnesses of one server: one per group, made when somebody first asks for it, gone when nobody has for long. Knows nothing of sockets.
import { randomBytes } from "node:crypto";
import { MalformedError, seededRandom, toHex, type PeerId } from "../base/index.ts";
import { isWitness, raftConfig, WitnessCore, witnessId } from "../replica/index.ts";
import { decodeWitnessFrame, encodeWitnessFrame, type WitnessFrame } from "../seam/index.ts";
import type { WitnessLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";

/** One proven connection as a witness sees it. */
export interface WitnessClient {
  readonly group: string;
  readonly peer: PeerId;
  /** The group's shortest election timeout, ms. */
  readonly leaseMs: number;
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** Length of a witness's tick, ms. It never campaigns, so all that ticks is how long it protects a leader it heard. */
export const WITNESS_TICK_MS = 50;

/** What a group's witness is made of. It lives in memory alone: what is gone comes back under another id. */
interface Place {
  readonly core: WitnessCore;
  readonly clients: Map<PeerId, WitnessClient>;
  isMember: boolean;
  isVoter: boolean;
  idleTicks: number;
}

export class Witnesses {
  readonly #limits: WitnessLimits;
  readonly #counts: ServerCounts;
  readonly #places = new Map<string, Place>();

  constructor(limits: WitnessLimits, counts: ServerCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Lets a proven peer in, or says why not. A newer connection of a peer takes the place of its older one. */
  join(client: WitnessClient): Refusal | undefined {
    const known = this.#places.get(client.group);
    if (known === undefined && this.#places.size >= this.#limits.witnessesMax) return REFUSALS.serverFull;
    const older = known?.clients.get(client.peer);
    if (known !== undefined && older === undefined && known.clients.size >= this.#limits.peersPerWitnessMax) return REFUSALS.roomFull;
    const place = known ?? this.#open(client);
    place.clients.set(client.peer, client);
    place.idleTicks = 0;
    older?.close(REFUSALS.replaced.code, REFUSALS.replaced.reason);
    say(client, { kind: "welcome", witness: place.core.raft.id });
    if (place.isMember) say(client, { kind: "member", isMember: true });
    return undefined;
  }

  leave(client: WitnessClient): void {
    const place = this.#places.get(client.group);
    if (place?.clients.get(client.peer) === client) place.clients.delete(client.peer);
  }

  /** Takes in what a client sent; what makes no sense is dropped and counted. */
  receive(client: WitnessClient, bytes: Uint8Array): void {
    this.#counts.bytesTotal += bytes.length;
    const place = this.#places.get(client.group);
    if (place?.clients.get(client.peer) !== client) return;
    try {
      const frame = decodeWitnessFrame(bytes);
      if (frame.kind === "ping") say(client, { kind: "pong" });
      else if (frame.kind === "frame") this.#step(client.group, place, () => place.core.receive(client.peer, frame.bytes));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#counts.droppedTotal += 1;
    }
  }

  /** {@link WITNESS_TICK_MS} passed. */
  tick(): void {
    for (const [group, place] of this.#places) {
      this.#step(group, place, () => place.core.tick());
      if (place.clients.size > 0) continue;
      place.idleTicks += 1;
      if (place.idleTicks * WITNESS_TICK_MS >= this.#limits.idleMs) this.#drop(group, place);
    }
  }

  #open({ group, leaseMs }: WitnessClient): Place {
    // Random enough that no id is ever made twice: a witness that forgot must never vote as itself.
    const bytes = randomBytes(24);
    const config = raftConfig({ tickMs: WITNESS_TICK_MS, heartbeatMs: WITNESS_TICK_MS, electionTimeoutMsMin: leaseMs, electionTimeoutMsMax: leaseMs });
    const core = new WitnessCore({ id: witnessId(toHex(bytes.subarray(0, 16))), group, config, random: seededRandom(bytes.readUInt32LE(16), bytes.readUInt32LE(20)) });
    const place: Place = { core, clients: new Map(), isMember: false, isVoter: false, idleTicks: 0 };
    this.#places.set(group, place);
    this.#counts.witnesses = this.#places.size;
    return place;
  }

  #step(group: string, place: Place, input: () => void): void {
    const { core, clients } = place;
    input();
    while (core.hasWork()) {
      const { frames, write } = core.takeWork();
      for (const { to, bytes } of frames) {
        const client = clients.get(to);
        if (client !== undefined) say(client, { kind: "frame", bytes });
      }
      // Memory is this witness's disk: it lasts exactly as long as its id.
      if (write !== undefined) core.writeDone(write.id);
    }
    this.#sayMember(place);
    if (core.entriesHeld > this.#limits.entriesMax) this.#drop(group, place);
  }

  #sayMember(place: Place): void {
    const { id, membership: { voters, votersOutgoing, learners } } = place.core.raft;
    this.#countVoter(place, voters.includes(id));
    const isMember = [voters, votersOutgoing, learners].some((peers) => peers.includes(id));
    if (isMember === place.isMember) return;
    place.isMember = isMember;
    for (const client of place.clients.values()) say(client, { kind: "member", isMember });
  }

  #countVoter(place: Place, isVoter: boolean): void {
    if (isVoter === place.isVoter) return;
    place.isVoter = isVoter;
    this.#counts.witnessesVoting += isVoter ? 1 : -1;
  }

  #drop(group: string, place: Place): void {
    const { clients } = place;
    this.#countVoter(place, false);
    this.#places.delete(group);
    this.#counts.witnesses = this.#places.size;
    for (const client of clients.values()) client.close(REFUSALS.tooLarge.code, REFUSALS.tooLarge.reason);
  }
}

/** True for peers that can be somebody at a witness: a witness is nobody's. */
export function mayBeHeard(peer: PeerId): boolean {
  return !isWitness(peer);
}

function say(client: WitnessClient, frame: WitnessFrame): void {
  client.send(encodeWitnessFrame(frame));
}
