// The game's lane of the log: order, keys, seats, replay and resets.
import { expect, test, vi } from "vitest";
import { peerId, SdkError, utf8, type LogIndex, type PeerId } from "../base/index.ts";
import { defineGame } from "./define-game.ts";
import { ScriptedLog } from "./scripted-log.ts";
import { counterRules, NOT_AN_ACTION, type CounterAction } from "./test-fixtures.ts";
import { TurnSequencer } from "./turn-sequencer.ts";
import type { TurnEvent } from "./turn.ts";

const SESSION_LANE = 2;
const { actions } = defineGame(counterRules);
const pass: CounterAction = { type: "pass" };

/** Seats are taken by a command of the session lane that names the seat in its payload. */
function open(log = new ScriptedLog()): { log: ScriptedLog; sequencer: TurnSequencer<CounterAction>; order: string[] } {
  const seats = new Map<PeerId, number>();
  const order: string[] = [];
  const sequencer = new TurnSequencer<CounterAction>({
    log,
    actions,
    playerOf: (proposer) => (order.push(`asks ${proposer}`), seats.get(proposer)),
    observe: (event) => {
      order.push(`observes ${event.type} ${event.index}`);
      if (event.type === "install") seats.clear();
      else seats.set(event.proposer, event.payload[0] ?? 0);
    },
  });
  return { log, sequencer, order };
}
const follow = (sequencer: TurnSequencer<CounterAction>, from?: LogIndex): TurnEvent<CounterAction>[] => {
  const events: TurnEvent<CounterAction>[] = [];
  sequencer.follow((event) => void events.push(event), from);
  return events;
};
const sit = (log: ScriptedLog, proposer: string, seat: number): number => log.append({ lane: SESSION_LANE, payload: new Uint8Array([seat]), proposer: peerId(proposer) });
const play = (log: ScriptedLog, proposer: string): number => log.append({ payload: actions.encode(pass), proposer: peerId(proposer), time: 42 });

test("[GA20] committed turns carry everything the log knows of them", () => {
  const { log, sequencer } = open();
  const events = follow(sequencer);
  const key = { clientId: "client-other", requestId: 9 };
  log.skip(3);
  log.append({ payload: actions.encode(pass), key, time: 42 });
  log.append({ payload: actions.encode(pass), key, time: 43, duplicate: true });
  log.append({ payload: NOT_AN_ACTION, key: { ...key, requestId: 10 } });
  const shared = { type: "committed", player: undefined, proposer: "other" };
  expect(events).toMatchObject([
    { ...shared, index: 4, action: pass, dedupKey: key, time: 42, duplicate: false, payload: actions.encode(pass) },
    { ...shared, index: 5, action: pass, dedupKey: key, time: 43, duplicate: true },
    { ...shared, index: 6, action: undefined, error: { code: "malformed" } },
  ]);
  expect(sequencer.index).toBe(6);
});

test("[GA21] the key is known in the same task, and propose resolves to index, action and key", async () => {
  const { log, sequencer } = open();
  expect(sequencer.nextKey).toEqual({ clientId: log.clientId, requestId: 1 });
  const proposed = sequencer.propose(pass);
  expect(log.lastRequestId).toBe(1);
  const submitted = sequencer.submit(actions.encode(pass));
  expect(submitted).toMatchObject({ dedupKey: { clientId: log.clientId, requestId: 2 }, isStamped: true });
  log.commit(1);
  log.commit(0);
  await expect(proposed).resolves.toEqual({ index: 2, action: pass, dedupKey: { clientId: log.clientId, requestId: 1 } });
  await expect(submitted.committed).resolves.toMatchObject({ index: 1 });
});

test("[GA21] a serial used before is proposed again under the same key; a refused one has no stamp", async () => {
  const { log, sequencer } = open();
  void sequencer.propose(pass);
  expect(sequencer.submit(actions.encode(pass), { requestId: 1 })).toMatchObject({ dedupKey: { requestId: 1 }, isStamped: true });
  expect(log.lastRequestId).toBe(1);
  log.refusal = new SdkError("busy", "later");
  const refused = sequencer.submit(actions.encode(pass));
  expect(refused.isStamped).toBe(false);
  await expect(refused.committed).rejects.toMatchObject({ code: "busy" });
  log.propose = () => {
    throw new SdkError("closed", "closed");
  };
  await expect(sequencer.propose(pass)).rejects.toMatchObject({ code: "closed" });
});

test("[GA21] what is no action is refused before it is proposed", async () => {
  const { log, sequencer } = open();
  await expect(sequencer.propose(undefined as never)).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(sequencer.propose(1n as never)).rejects.toMatchObject({ code: "invalid-argument" });
  expect(log.proposals).toEqual([]);
});

test("[GA22] other lanes are observed in order, and the player is asked for at that point of the log", () => {
  const { log, sequencer, order } = open();
  const events = follow(sequencer);
  play(log, "ada");
  sit(log, "ada", 1);
  play(log, "ada");
  sit(log, "ada", 0);
  play(log, "ada");
  expect(order).toEqual(["asks ada", "observes command 2", "asks ada", "observes command 4", "asks ada"]);
  expect(events.map((event) => event.type === "committed" && event.player)).toEqual([undefined, 1, 0]);
});

test("[GA24] turns are replayed from any index, with the players they had", () => {
  const { log, order } = open();
  sit(log, "ada", 1);
  play(log, "ada");
  sit(log, "ada", 0);
  play(log, "ada");
  const late = open(log);
  const events = follow(late.sequencer, 4);
  expect(events).toMatchObject([{ index: 4, player: 0 }]);
  expect([late.order.length, order.length]).toEqual([4, 0]);
  play(log, "ada");
  expect(events.map(({ index }) => index)).toEqual([4, 5]);
});

test("[GA25] an install is a reset with the game's section, after it was observed", () => {
  const { log, sequencer, order } = open();
  const heard: string[] = [];
  sit(log, "ada", 1);
  sequencer.follow((event) => void heard.push(`${event.type} ${event.index} after ${order.at(-1)}`));
  const sections = new Map([[1, utf8("state")], [SESSION_LANE, utf8("seats")]]);
  log.install(9, sections);
  expect(heard).toEqual(["reset 9 after observes install 9"]);
  const late = open(log);
  expect(follow(late.sequencer)).toEqual([{ type: "reset", index: 9, snapshot: utf8("state"), sections }]);
  const bare = open();
  bare.log.install(3, new Map());
  expect(follow(bare.sequencer)).toMatchObject([{ type: "reset", snapshot: undefined }]);
});

test("[GA26] a second follower is refused while one is there, and welcome after it stopped", () => {
  const { log, sequencer } = open();
  const listener = vi.fn();
  const stop = sequencer.follow(listener);
  expect(() => sequencer.follow(() => {})).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  stop();
  stop();
  play(log, "ada");
  expect([listener.mock.calls.length, log.followers]).toEqual([0, 0]);
  expect(follow(sequencer)).toMatchObject([{ index: 1 }]);
});

test("[GA130] the game begins anew where whoever folds the log says so, and not where somebody proposes it in the game's lane", () => {
  const log = new ScriptedLog();
  let isBeginning = false;
  const sequencer = new TurnSequencer<CounterAction>({ log, actions, playerOf: () => 0, observe: (event) => void (isBeginning = event.type === "command" && event.payload[0] === 9), isBeginning: () => isBeginning });
  const events = follow(sequencer);
  sit(log, "ann", 9);
  play(log, "ann");
  sit(log, "ann", 1);
  log.append({ payload: new Uint8Array(0), proposer: peerId("eve") });
  expect(events.map((event) => (event.type === "committed" ? [event.index, event.system?.type, event.player] : []))).toEqual([[1, "begin", undefined], [2, undefined, 0], [4, undefined, 0]]);
});
