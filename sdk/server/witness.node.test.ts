// A witness over real sockets: who it lets in, what it is told, what it survives, and two peers that go on because of it.
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ByteWriter, concatBytes, seededRandom, silentLogger, utf8, type Clock, type PeerId } from "../base/index.ts";
import { identityOf, makeKeyPair, type Identity } from "../identity/identity.ts";
import { isWitness, LANE_GAME, openReplica, witnessGroupOf, type Replica } from "../replica/index.ts";
import { joinChannels, MemoryHub, WitnessSocket, type Seam, type SocketFactory } from "../seam/index.ts";
import { decodeWitnessFrame, encodeWitnessFrame, witnessProofText } from "../seam/index.ts";
import { readArguments } from "./cli-options.ts";
import { startServer, type RunningServer, type ServerOptions } from "./server.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
const GROUP = "the group";
const TIMING = { tickMs: 10, heartbeatMs: 50, electionTimeoutMsMin: 250, electionTimeoutMsMax: 400 };

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ port: 0, witness: true, ...options });
  ends.push(() => server.close());
  return server;
}

const somebody = async (): Promise<Identity> => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);

/** Everything that left towards the server, message by message. */
type Tap = Uint8Array[];

function nodeSocket(tap: Tap): SocketFactory {
  return (url, listener) => {
    const socket = new WebSocket(url);
    let over = false;
    socket.binaryType = "arraybuffer";
    socket.on("error", () => {});
    socket.on("open", () => over || listener.opened());
    socket.on("message", (data) => over || listener.received(data));
    socket.on("close", (code, reason) => over || listener.lost(code, reason.toString()));
    return {
      send: (bytes) => {
        tap.push(bytes.slice());
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      },
      close: () => {
        over = true;
        socket.close();
      },
    };
  };
}

interface Reach {
  readonly seam: WitnessSocket;
  readonly tap: Tap;
  /** Resolves when `holds`; looked at after each change. */
  until(holds: (seam: WitnessSocket) => boolean): Promise<void>;
}

let seed = 1;

function reach(server: RunningServer, identity: Identity, options: { readonly selfId?: PeerId; readonly group?: string; readonly leaseMs?: number } = {}): Reach {
  const tap: Tap = [];
  const waiting = new Set<() => void>();
  const seam = new WitnessSocket({
    selfId: identity.peerId, group: witnessGroupOf(GROUP), leaseMs: TIMING.electionTimeoutMsMin, ...options, url: `${server.url}/signal`.replace("http", "ws"), identity, clock,
    random: seededRandom((seed += 1)), backoff: { firstMs: 10, maxMs: 20 }, openSocket: nodeSocket(tap), onChange: () => [...waiting].forEach((look) => look()),
  });
  ends.push(() => seam.close());
  const until = (holds: (seam: WitnessSocket) => boolean): Promise<void> =>
    new Promise((done) => {
      const look = (): void => {
        if (!holds(seam)) return;
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  return { seam, tap, until };
}

const troubleOf = (seam: WitnessSocket): Promise<string> => new Promise((done) => void seam.on("trouble", ({ message }) => done(message)));

/** A raw connection, for what no seam would say. */
async function raw(server: RunningServer, query: string): Promise<{ readonly socket: WebSocket; readonly messages: Uint8Array[]; readonly closed: Promise<number>; next(): Promise<Uint8Array> }> {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/witness?${query}`);
  socket.binaryType = "arraybuffer";
  const messages: Uint8Array[] = [];
  const waiting: ((bytes: Uint8Array) => void)[] = [];
  socket.on("message", (data: ArrayBuffer) => {
    const bytes = new Uint8Array(data);
    const taker = waiting.shift();
    if (taker === undefined) messages.push(bytes);
    else taker(bytes);
  });
  socket.on("error", () => {});
  const closed = new Promise<number>((done) => socket.once("close", (code) => done(code)));
  ends.push(async () => socket.terminate());
  await Promise.race([new Promise((done) => socket.once("open", done)), closed]);
  return { socket, messages, closed, next: () => { const first = messages.shift(); return first === undefined ? new Promise((done) => waiting.push(done)) : Promise.resolve(first); } };
}

const GROUP_QUERY = `group=${witnessGroupOf(GROUP)}&lease=250`;

describe("a server with a witness", () => {
  test("is one only when asked", async () => {
    const plain = await serve({ witness: false });
    const { closed } = await raw(plain, `${GROUP_QUERY}&peer=ann`);
    expect(await closed).toBe(1006);
    expect(await (await fetch(`${plain.url}/flotilla.json`)).json()).toEqual({ signaling: "/signal" });
    const server = await serve();
    expect(await (await fetch(`${server.url}/flotilla.json`)).json()).toEqual({ signaling: "/signal", witness: "/witness" });
    expect(readArguments(["--witness"], undefined)).toMatchObject({ witness: true });
    expect(readArguments([], undefined)).not.toHaveProperty("witness");
  });

  test("lets in who proves its id, to one witness per group, under an id nobody else has", async () => {
    const server = await serve();
    const [ann, bob] = [await somebody(), await somebody()];
    const [a, b, other] = [reach(server, ann), reach(server, bob), reach(server, ann, { group: witnessGroupOf("another") })];
    for (const { until } of [a, b, other]) await until(({ witness }) => witness !== undefined);
    expect(a.seam.witness).toBe(b.seam.witness);
    expect(other.seam.witness).not.toBe(a.seam.witness);
    expect(isWitness(a.seam.witness!)).toBe(true);
    expect([...a.seam.peers]).toEqual([ann.peerId, a.seam.witness]);
    expect(server.counts.witnesses).toBe(2);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain("flotilla_witnesses 2\n");
  });

  test("refuses whoever does not prove its id, by a foreign key, another's signature or no proof at all", async () => {
    const server = await serve();
    const [ann, bob] = [await somebody(), await somebody()];
    expect(await troubleOf(reach(server, bob, { selfId: ann.peerId }).seam)).toContain("did not prove");
    const { next, socket, closed } = await raw(server, `${GROUP_QUERY}&peer=${ann.peerId}`);
    const challenge = decodeWitnessFrame(await next());
    const nonce = challenge.kind === "challenge" ? challenge.nonce : new Uint8Array();
    const foreign = await ann.sign(witnessProofText(nonce, { group: witnessGroupOf("another"), peer: ann.peerId }));
    socket.send(encodeWitnessFrame({ kind: "proof", publicKey: ann.publicKey, signature: foreign }));
    expect(await closed).toBe(4401);
    const silent = await raw(server, `${GROUP_QUERY}&peer=${ann.peerId}`);
    silent.socket.send(encodeWitnessFrame({ kind: "frame", bytes: utf8("let me in") }));
    expect(await silent.closed).toBe(4401);
    expect(server.counts.witnesses).toBe(0);
  });

  test("refuses requests that make no sense, and peers that call themselves witnesses", async () => {
    const server = await serve();
    for (const query of ["", "group=xyz&peer=ann&lease=250", `${GROUP_QUERY}&peer=`, `${GROUP_QUERY}&peer=witness:w`, `group=${witnessGroupOf(GROUP)}&peer=ann`, `group=${witnessGroupOf(GROUP)}&peer=ann&lease=1`]) {
      expect(await (await raw(server, query)).closed, query).toBe(4400);
    }
  });

  test("survives garbage of a peer that is let in, and goes on answering", async () => {
    const server = await serve();
    const ann = await somebody();
    const { next, socket } = await raw(server, `${GROUP_QUERY}&peer=${ann.peerId}`);
    const challenge = decodeWitnessFrame(await next());
    const nonce = challenge.kind === "challenge" ? challenge.nonce : new Uint8Array();
    socket.send(encodeWitnessFrame({ kind: "proof", publicKey: ann.publicKey, signature: await ann.sign(witnessProofText(nonce, { group: witnessGroupOf(GROUP), peer: ann.peerId })) }));
    expect(decodeWitnessFrame(await next()).kind).toBe("welcome");
    const random = seededRandom(7);
    for (let i = 0; i < 500; i += 1) {
      const bytes = Uint8Array.from({ length: random.uint32() % 60 }, () => random.uint32() & 255);
      const group = Uint8Array.from(witnessGroupOf(GROUP).match(/../g) ?? [], (hex) => Number.parseInt(hex, 16));
      // Bare, as a frame, and as a frame of the group with nonsense inside.
      socket.send(i % 3 === 0 ? bytes : encodeWitnessFrame({ kind: "frame", bytes: i % 3 === 1 ? bytes : concatBytes(Uint8Array.of(1), group, new ByteWriter().bytes(bytes).finish()) }));
    }
    socket.send(encodeWitnessFrame({ kind: "ping" }));
    for (;;) if (decodeWitnessFrame(await next()).kind === "pong") break;
    expect(server.counts.droppedTotal).toBeGreaterThan(50);
  });

  test("keeps its limits: groups, peers of a group, messages", async () => {
    const server = await serve({ witness: { witnessesMax: 1, peersPerWitnessMax: 1, messageBurst: 20, messagesPerSecond: 1 } });
    const ann = reach(server, await somebody());
    await ann.until(({ witness }) => witness !== undefined);
    expect(await troubleOf(reach(server, await somebody()).seam)).toContain("full");
    expect(await troubleOf(reach(server, await somebody(), { group: witnessGroupOf("another") }).seam)).toContain("full");
    const ended = troubleOf(ann.seam);
    for (let i = 0; i < 30; i += 1) ann.seam.sendTo(ann.seam.witness!, utf8("x"));
    expect(await ended).toContain("too many messages");
  });

  test("forgets a group nobody is connected to, and never again answers under that id", async () => {
    const server = await serve({ witness: { idleMs: 100 } });
    const ann = await somebody();
    const first = reach(server, ann);
    await first.until(({ witness }) => witness !== undefined);
    const before = first.seam.witness;
    await first.seam.close();
    while (server.counts.witnesses > 0) await new Promise((done) => setTimeout(done, 20));
    const second = reach(server, ann);
    await second.until(({ witness }) => witness !== undefined);
    expect(second.seam.witness).not.toBe(before);
  });

  test("comes back after a restart as another one, and the way there finds it", async () => {
    const server = await startServer({ port: 0, witness: true });
    const ann = reach(server, await somebody());
    await ann.until(({ witness }) => witness !== undefined);
    const before = ann.seam.witness;
    await server.close();
    await ann.until(({ witness }) => witness === undefined);
    expect([...ann.seam.peers]).toEqual([ann.seam.selfId]);
    await serve({ port: server.port });
    await ann.until(({ witness }) => witness !== undefined);
    expect(ann.seam.witness).not.toBe(before);
  });
});

describe("two peers with a witness", () => {
  interface Player { readonly identity: Identity; readonly node: Replica; readonly reach: Reach; readonly mesh: Seam }

  async function two(server: RunningServer): Promise<readonly [Player, Player]> {
    const hub = new MemoryHub({ clock, random: seededRandom(3) });
    const identities = [await somebody(), await somebody()] as const;
    const meshes = identities.map(({ peerId: id }) => hub.seam(id));
    const voters = identities.map(({ peerId: id }) => id);
    const players = await Promise.all(identities.map(async (identity, at): Promise<Player> => {
      const way = reach(server, identity);
      await way.until(({ witness }) => witness !== undefined);
      const mesh = meshes[at]!;
      const node = await openReplica({ seam: joinChannels(mesh, way.seam, isWitness), groupId: GROUP, clock, random: seededRandom(at + 10), wallClock: () => Date.now(), voters, config: TIMING, logger: silentLogger });
      ends.push(() => node.close());
      return { identity, node, reach: way, mesh };
    }));
    return [players[0]!, players[1]!];
  }

  const until = (node: Replica, holds: () => boolean): Promise<void> =>
    new Promise((done) => {
      const offs: (() => void)[] = [];
      const look = (): void => {
        if (!holds()) return;
        for (const off of offs) off();
        done();
      };
      offs.push(node.on("status", look));
      look();
    });

  test("either is gone without a word, and the other goes on; of no move did a byte reach the server", async () => {
    const server = await serve();
    const [a, b] = await two(server);
    await until(a.node, () => a.node.leader !== undefined);
    const [leader, other] = a.node.leader === a.node.id ? [a, b] : [b, a];
    const witness = leader.reach.seam.witness!;
    const voters = [leader.node.id, other.node.id];
    await leader.node.readIndex();
    await leader.node.changeMembership({ voters, learners: [witness] });
    await Promise.all([a, b].map((player) => player.reach.until(({ isMember }) => isMember)));
    await leader.node.changeMembership({ voters: [...voters, witness], learners: [] });
    const secrets = ["knight takes the bishop", "a very secret move", "0x🂡 the ace of spades"];
    for (const secret of secrets) await leader.node.propose(utf8(secret), { lane: LANE_GAME });
    await other.node.propose(utf8(secrets[1]!), { lane: LANE_GAME });
    // A snapshot of it, too.
    await leader.node.snapshot(leader.node.appliedIndex, utf8(secrets[0]!));
    await leader.mesh.close();
    await leader.reach.seam.close();
    await leader.node.close();
    await until(other.node, () => other.node.role === "leader");
    await other.node.propose(utf8(secrets[2]!), { lane: LANE_GAME });
    await other.node.changeMembership({ voters: [other.node.id], learners: [] });
    const sent = Buffer.concat([...a.reach.tap, ...b.reach.tap]).toString("latin1");
    for (const secret of secrets) {
      const bytes = Buffer.from(secret).toString("latin1");
      for (let at = 0; at + 4 <= bytes.length; at += 1) expect(sent.includes(bytes.slice(at, at + 4)), `"${bytes.slice(at, at + 4)}" of "${secret}"`).toBe(false);
    }
    expect(sent).toContain(witness);
  }, 60_000);
});
