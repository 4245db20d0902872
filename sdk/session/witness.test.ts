// A session with a witness, in virtual time: when it votes, when it does not, and what it is good for.
import { afterEach, describe, expect, test } from "vitest";
import { seededRandom, type PeerId } from "../base/index.ts";
import { raftConfig, WitnessCore, witnessId } from "../replica/index.ts";
import { MemoryHub, type MemorySeam } from "../seam/index.ts";
import { decideManagement, type ManagementView, type Person } from "./management.ts";
import type { Roster } from "./roster.ts";
import type { GameSession, SessionOptions } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";
import type { OpenWitnessLink, WitnessLink } from "./witness.ts";

const W = witnessId("w");
const V = witnessId("v");

/** A witness in this process, reached over a hub of its own. */
class MemoryWitness {
  readonly id: PeerId;
  readonly core: WitnessCore;
  readonly #seam: MemorySeam;
  readonly #stop: () => void;
  readonly #changed: Set<() => void>;

  constructor(id: PeerId, group: string, { room, hub, changed }: { readonly room: Room; readonly hub: MemoryHub; readonly changed: Set<() => void> }) {
    this.id = id;
    this.#changed = changed;
    this.core = new WitnessCore({ id, group, config: raftConfig(), random: seededRandom(5) });
    this.#seam = hub.seam(id);
    this.#seam.on("frame", (from, bytes) => this.#step(() => this.core.receive(from, bytes)));
    let isOn = true;
    const tick = (): void => {
      if (!isOn) return;
      this.#step(() => this.core.tick());
      room.clock.after(50, tick);
    };
    tick();
    this.#stop = () => void (isOn = false);
  }

  get isMember(): boolean {
    const { voters, learners } = this.core.raft.membership;
    return voters.includes(this.id) || learners.includes(this.id);
  }

  #step(input: () => void): void {
    const before = this.isMember;
    input();
    while (this.core.hasWork()) {
      const { frames, write } = this.core.takeWork();
      for (const { to, bytes } of frames) if (this.#seam.peers.has(to)) this.#seam.sendTo(to, bytes);
      if (write !== undefined) this.core.writeDone(write.id);
    }
    if (this.isMember !== before) for (const tell of this.#changed) tell();
  }

  async end(): Promise<void> {
    this.#stop();
    await this.#seam.close();
  }
}

/** Where witnesses are: one per group, made when somebody first asks. */
class Server {
  readonly hub: MemoryHub;
  readonly #room: Room;
  readonly #witnesses = new Map<string, MemoryWitness>();
  readonly #changed = new Set<() => void>();
  #names = ["v", "w"];

  constructor(room: Room) {
    this.#room = room;
    this.hub = new MemoryHub({ clock: room.clock, random: seededRandom(9), faults: { delayMs: 15 } });
  }

  at(group: string): MemoryWitness {
    const witness = this.#witnesses.get(group) ?? new MemoryWitness(witnessId(this.#names.pop() ?? "x"), group, { room: this.#room, hub: this.hub, changed: this.#changed });
    this.#witnesses.set(group, witness);
    for (const tell of this.#changed) tell();
    return witness;
  }

  get only(): MemoryWitness {
    return [...this.#witnesses.values()][0]!;
  }

  /** It starts anew: what it knew is gone, and the next one has another id. */
  async restart(): Promise<void> {
    const groups = [...this.#witnesses.keys()];
    for (const witness of this.#witnesses.values()) await witness.end();
    this.#witnesses.clear();
    for (const group of groups) this.at(group);
  }

  way(self: PeerId): OpenWitnessLink {
    return ({ group, onChange }): WitnessLink => {
      this.at(group);
      const seam = this.hub.seam(self);
      this.#changed.add(onChange);
      const off = seam.on("peers", onChange);
      const now = (): MemoryWitness | undefined => this.#witnesses.get(group);
      return {
        selfId: self,
        payloadBytesMax: seam.payloadBytesMax,
        get peers() {
          return seam.peers;
        },
        get witness() {
          const id = now()?.id;
          return id !== undefined && seam.peers.has(id) ? id : undefined;
        },
        get isMember() {
          return now()?.isMember === true;
        },
        on: (event, listener) => seam.on(event, listener),
        sendTo: (peer, bytes) => seam.sendTo(peer, bytes),
        close: async () => {
          off();
          this.#changed.delete(onChange);
          await seam.close();
        },
      };
    };
  }
}

const rooms: Room[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.end();
});

function setUp(): { readonly room: Room; readonly server: Server; readonly reaching: (id: PeerId) => Partial<SessionOptions> } {
  const room = new Room();
  rooms.push(room);
  const server = new Server(room);
  return { room, server, reaching: (id) => ({ witness: server.way(id) }) };
}

const voters = ({ node: { membership } }: GameSession): readonly PeerId[] => (membership.votersOutgoing.length > 0 ? [] : membership.voters);

async function pair(more: { readonly bobReaches?: boolean } = {}): Promise<ReturnType<typeof setUp> & { readonly a: GameSession; readonly b: GameSession }> {
  const all = setUp();
  const { room, reaching } = all;
  const a = await room.get(room.host(room.seam(ann), { peerCount: 2, ...reaching(ann) }));
  const b = await room.get(room.join(room.seam(bob), more.bobReaches === false ? {} : reaching(bob)));
  return { ...all, a, b };
}

describe("a session with a witness", () => {
  test("[SE48] two players and a witness that both reach are three voters", async () => {
    const { room, a, b } = await pair();
    expect(await room.until(() => voters(a).includes(W))).toBe(true);
    expect(voters(a)).toEqual([ann, bob, W]);
    expect(await room.until(() => voters(b).length === 3)).toBe(true);
    expect(a.standingOf(W)).toBe("here");
    expect(a.presence.states.has(W)).toBe(false);
  });

  test("[SE48] without a word of the leader the other leads, goes on alone, and nobody was asked", async () => {
    const { room, server, a, b } = await pair();
    await room.until(() => voters(b).length === 3);
    await room.get(a.rename("Ann"));
    // The tab is gone, and says nothing to anybody.
    room.hub.partition([ann]);
    server.hub.partition([ann]);
    expect(await room.until(() => b.node.role === "leader", 5_000)).toBe(true);
    expect(await room.until(() => voters(b).length === 1)).toBe(true);
    expect(voters(b)).toEqual([bob]);
    await room.get(b.rename("Bob"));
  });

  test("[SE49] one that only the leader reaches does not vote: the pair stays a pair", async () => {
    const { room, a } = await pair({ bobReaches: false });
    await room.clock.advance(20_000);
    expect(voters(a)).toEqual([ann, bob]);
    expect(a.node.membership.learners).toEqual([]);
  });

  test("[SE49] one that is lost gives way, and after a restart of the server the next one votes", async () => {
    const { room, server, a } = await pair();
    await room.until(() => voters(a).includes(W));
    await room.get(server.restart());
    expect(await room.until(() => voters(a).includes(V))).toBe(true);
    expect(voters(a)).toEqual([ann, bob, V]);
    await room.get(server.only.end());
    expect(await room.until(() => voters(a).length === 2)).toBe(true);
    expect(voters(a)).toEqual([ann, bob]);
  });

  test("[SE49] a blip of the way there takes nobody out", async () => {
    const { room, server, a } = await pair();
    await room.until(() => voters(a).includes(W));
    const changes = a.node.membership;
    server.hub.partition([W]);
    await room.clock.advance(1_000);
    expect(a.node.membership).toBe(changes);
  });

  test("[SE48] a third player's vote takes its place", async () => {
    const { room, reaching } = setUp();
    const a = await room.get(room.host(room.seam(ann), { peerCount: 3, ...reaching(ann) }));
    await room.get(room.join(room.seam(bob), reaching(bob)));
    expect(await room.until(() => voters(a).includes(W))).toBe(true);
    await room.get(room.join(room.seam(cat), reaching(cat)));
    expect(await room.until(() => voters(a).length === 3 && !voters(a).includes(W))).toBe(true);
    expect([...voters(a)]).toEqual([ann, bob, cat]);
    expect(a.node.membership.learners).toEqual([]);
  });

  test("[SE24] closing leaves nothing of the way there running", async () => {
    const { room, server, a, b } = await pair();
    await room.until(() => voters(a).includes(W));
    await room.get(Promise.all([a.close(), b.close()]));
    await room.get(server.only.end());
    await room.clock.advance(60_000);
    expect([...server.hub.seam(cat).peers]).toEqual([cat]);
  });
});

describe("the leader's next step about a witness", () => {
  const player: Person = { declares: "join", name: "P", inGroup: true, synced: true, standing: "here", leaving: undefined, hidden: false, asksSeat: false, was: undefined, admitted: true, elsewhere: false, witness: W };
  const roster: Roster = { seats: [{ peer: ann, name: "A" }, { peer: bob, name: "B" }], watchers: [], kicked: [], stood: [], spectators: "open", votersMax: 5, game: 1, asked: [], openedAt: 0, index: 1 };
  const view = (members: { readonly voters: readonly PeerId[]; readonly learners?: readonly PeerId[] }, other: Partial<Person> = {}, more: Partial<ManagementView> = {}): ManagementView => ({
    self: ann, membership: { votersOutgoing: [], learnersNext: [], learners: [], ...members }, roster, people: new Map([[ann, player], [bob, { ...player, ...other }]]), spares: true, ...more,
  });

  test("[SE48] it learns first, and votes once it says that it is caught up", () => {
    expect(decideManagement(view({ voters: [ann, bob] }))).toEqual({ type: "change", voters: [ann, bob], learners: [W] });
    expect(decideManagement(view({ voters: [ann, bob], learners: [W] }))).toBeUndefined();
    expect(decideManagement(view({ voters: [ann, bob], learners: [W] }, {}, { witnessCaughtUp: true }))).toEqual({ type: "change", voters: [ann, bob, W], learners: [] });
    expect(decideManagement(view({ voters: [ann, bob], learners: [W] }, { standing: "away" }, { witnessCaughtUp: true }))).toBeUndefined();
    expect(decideManagement(view({ voters: [ann, bob, W] }))).toBeUndefined();
  });

  test("[SE49] it is taken out when somebody who is here does not reach it, not for somebody who is away", () => {
    expect(decideManagement(view({ voters: [ann, bob, W] }, { witness: undefined }))).toEqual({ type: "change", voters: [ann, bob], learners: [] });
    expect(decideManagement(view({ voters: [ann, bob, W] }, { witness: V }))).toEqual({ type: "change", voters: [ann, bob], learners: [] });
    expect(decideManagement(view({ voters: [ann, bob, W] }, { witness: undefined, standing: "away" }))).toBeUndefined();
  });

  test("[SE48] with the other player gone nobody but the leader votes, and beside a lost witness it goes on alone", () => {
    expect(decideManagement(view({ voters: [ann, bob, W] }, { standing: "gone" }))).toEqual({ type: "change", voters: [ann], learners: [] });
    const alone = view({ voters: [ann, W] }, { standing: "gone" });
    expect(decideManagement({ ...alone, people: new Map([[ann, { ...player, witness: undefined }]]) })).toEqual({ type: "change", voters: [ann], learners: [] });
  });
});
