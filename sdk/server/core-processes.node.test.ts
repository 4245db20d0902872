// A core as it is run: three processes with records on disk, ended by force and in order while players play.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "../base/index.ts";
import { coreEndpoint, RotatingSeam } from "../client/index.ts";
import { clusterLane } from "../cluster/index.ts";
import { SpeculativeSequencer, stateDigest, TurnSequencer, type Outcome } from "../game/index.ts";
import { openNodeSocket } from "../node/index.ts";
import { EMPTY_ROSTER, foldRoster, gameJoin, seatOf, type Roster } from "../session/index.ts";
import { buildServer, CoreProcesses } from "../testing/core/processes.ts";
import { game, type Tally } from "../testing/core/rules.ts";
import { nodeClock as clock } from "./node-clock.ts";
import { somebody, until } from "./test-room.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
}, 60_000);

async function core(): Promise<CoreProcesses> {
  const processes = await CoreProcesses.start();
  ends.push(() => processes.close());
  return processes;
}

/** A player: its seat, and the game as its tab would run it. */
async function play(endpoints: readonly string[], seats = 4): Promise<SpeculativeSequencer<Tally, number>> {
  const identity = await somebody();
  const random = seededRandom(ends.length + 1);
  const link = new RotatingSeam(identity.peerId, endpoints.map((url) => coreEndpoint(url, { selfId: identity.peerId, room: "a room", identity, openSocket: openNodeSocket, clock })), { clock, random, backoff: { firstMs: 20, maxMs: 200 } });
  ends.push(() => link.close());
  const session = await gameJoin(link.seam, { clock, random, rules: game.rules, lanes: [clusterLane], opens: { seats, spectators: "open" }, joinAdmissionTimeoutMs: 30_000 });
  ends.push(() => session.close());
  let roster: Roster = EMPTY_ROSTER;
  const sequencer = new TurnSequencer<number>({ log: session.node, actions: game.actions, playerOf: (proposer) => seatOf(roster, proposer), observe: (event) => void (roster = foldRoster(roster, event)) });
  return new SpeculativeSequencer({ sequencer, game, seats, player: () => seatOf(session.roster, session.selfId), rulesOfLog: () => roster.rules });
}

/** Plays `count` actions, some at a time, and resolves with how each ended. */
async function playMany(player: SpeculativeSequencer<Tally, number>, count: number, onEach: () => void): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      outcomes.push(await player.propose((next += 1)));
      onEach();
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
  return outcomes;
}

const digestOf = (player: SpeculativeSequencer<Tally, number>): string => stateDigest(game, player.confirmedState);

/** The digests every process came to after the entry `index`. */
async function digestsOf(processes: CoreProcesses, index: number): Promise<readonly (string | undefined)[]> {
  for (;;) {
    const games = await Promise.all(processes.names.map(async (name) => (await processes.health(name))?.rooms[0]?.game));
    if (games.every((at) => at?.index === index)) return games.map((at) => at?.digest);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Every player and every process holds `count` actions, in one order. */
async function expectOneState(processes: CoreProcesses, players: readonly SpeculativeSequencer<Tally, number>[], count: number): Promise<void> {
  await until(() => players.every(({ confirmedState, confirmedIndex }) => confirmedState.count === count && confirmedIndex === players[0]?.confirmedIndex), "one state");
  const digests = await digestsOf(processes, players[0]?.confirmedIndex ?? 0);
  expect(new Set([...players.map(digestOf), ...digests]).size).toBe(1);
}

beforeAll(buildServer, 120_000);

describe("three processes", () => {
  test("[CO2] the leader ended by force in the middle of 2,000 actions, started again, and another one ended: nothing is lost or doubled, and all come to one state", async () => {
    const processes = await core();
    const [a, b, c] = processes.endpoints as [string, string, string];
    const players = [await play([a, b, c]), await play([b, c, a]), await play([c, a, b]), await play([a, c, b])];
    let settled = 0;
    const at = (count: number): Promise<void> => until(() => settled >= count, `${count} actions`, 120_000);
    const playing = Promise.all(players.map((player) => playMany(player, 500, () => void (settled += 1))));
    await at(500);
    const first = await processes.leader();
    await processes.end(first, "SIGKILL");
    await at(900);
    await processes.run(first);
    await at(1_200);
    const second = await processes.leader();
    await processes.end(second, "SIGKILL");
    const outcomes = (await playing).flat();
    await processes.run(second);
    const committed = outcomes.filter((outcome) => outcome.outcome === "committed").map(({ index }) => index);
    expect(outcomes.filter(({ outcome }) => outcome !== "committed")).toEqual([]);
    expect(new Set(committed).size).toBe(2_000);
    await expectOneState(processes, players, 2_000);
  }, 180_000);

  test("[CO3] stopped in order and started again one after the other, while everybody plays: not one action fails, and a latecomer comes to the same state", async () => {
    const processes = await core();
    const [a, b, c] = processes.endpoints as [string, string, string];
    const players = [await play([a, b, c], 3), await play([b, c, a], 3)];
    let settled = 0;
    const playing = Promise.all(players.map((player) => playMany(player, 800, () => void (settled += 1))));
    for (const [at, name] of processes.names.entries()) {
      await until(() => settled >= 100 + at * 400, "the players play", 120_000);
      expect(await processes.end(name, "SIGTERM")).toBe(0);
      await processes.run(name);
    }
    const outcomes = (await playing).flat();
    expect(outcomes.filter(({ outcome }) => outcome !== "committed")).toEqual([]);
    const late = await play([c, a, b], 3);
    await expectOneState(processes, [...players, late], 1_600);
  }, 180_000);

  test("[CO4] one that comes back under its name without its records is not let in, and ends; under another name it takes the place", async () => {
    const processes = await core();
    const player = await play(processes.endpoints.slice(0, 2), 1);
    await playMany(player, 20, () => {});
    await processes.end("c", "SIGKILL");
    await processes.run("c", { data: "blank" });
    expect(await processes.exitOf("c")).toBe(1);
    expect(await player.propose(20)).toMatchObject({ outcome: "committed" });
    for (const name of ["a", "b"]) {
      // It had gone on until now.
      expect(await processes.end(name, "SIGTERM")).toBe(0);
      await processes.run(name, { replaced: { c: "d" } });
    }
    await processes.run("c", { data: "another", replaced: { c: "d" }, joins: true });
    expect(await player.propose(21)).toMatchObject({ outcome: "committed" });
    await until(() => player.confirmedState.count === 22, "the last action");
    await digestsOf(processes, player.confirmedIndex);
  }, 180_000);
});
