// The same game as in tabs, with servers as its voters: entering, playing, server after server stopped, leaving; and what has no meaning there.
import { createNanoEvents } from "nanoevents";
import { afterEach, describe, expect, test } from "vitest";
import { fromUtf8, hasCode, InvalidArgumentError, utf8 } from "./base/index.ts";
import type { Game } from "./game/index.ts";
import { openNodeSocket } from "./node/index.ts";
import { openMatch, type Match, type MatchOptions } from "./open-match.ts";
import type { PageEvent, PageLifecycle } from "./platform/index.ts";
import { startCore, type RunningCore, type StartCoreOptions } from "./server/index.ts";

type Words = readonly string[];
const words: Game<Words, string> = { name: "words", setup: () => [], apply: (state, word) => [...state, word], check: (state, word) => (state.includes(word) ? "said" : undefined) };
/** Counts what happened without anybody doing it. */
const clocked: Game<{ readonly until: number; readonly rang: number }, number> = {
  name: "egg timer",
  setup: () => ({ until: 0, rang: 0 }),
  apply: (state, ms, { time }) => ({ ...state, until: time + ms }),
  clock: { deadline: ({ until }) => until || undefined, timeout: ({ rang }) => ({ until: 0, rang: rang + 1 }) },
};

/** A page whose life the test tells. */
class Page implements PageLifecycle {
  isHidden = false;
  readonly #events = createNanoEvents<Record<PageEvent, () => void>>();

  on(event: PageEvent, listener: () => void): () => void {
    return this.#events.on(event, listener);
  }

  tell(event: PageEvent): void {
    this.#events.emit(event);
  }
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function core(options: StartCoreOptions = {}): Promise<RunningCore> {
  const running = await startCore(options);
  ends.push(() => running.close());
  return running;
}

async function open<State, Action>(game: Game<State, Action>, running: RunningCore, options: Partial<MatchOptions<State, Action>> = {}): Promise<Match<State, Action>> {
  const match = await openMatch({ room: "den", game, placement: { core: running.endpoints }, openSocket: openNodeSocket, ...options });
  ends.push(() => match.leave());
  return match;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

describe("a match with a core", () => {
  test("the first who comes says how many seats there are, the next takes one, who is over watches; servers lead, and all see one game", async () => {
    const running = await core();
    const first = await open(words, running, { name: "Ann" });
    expect(first.status.get()).toMatchObject({ phase: "waiting", seat: 0, isLeader: false, role: "learner" });
    const second = await open(words, running, { name: "Bob", room: first.invite.code });
    const third = await open(words, running, { name: "Cat" });
    await until(() => [first, second, third].every((match) => match.status.get().phase === "live"), "everybody is live");
    expect([first, second, third].map((match) => match.status.get().seat)).toEqual([0, 1, undefined]);
    expect(first.status.get().leader).toMatch(/^core:/u);
    expect(first.players.get().map(({ name, isLeader }) => [name, isLeader])).toEqual([["Ann", false], ["Bob", false], ["Cat", false]]);
    expect(await first.play("one")).toMatchObject({ outcome: "committed" });
    expect(await second.play("one")).toEqual({ outcome: "rejected", reason: "said" });
    expect(await third.play("two")).toMatchObject({ outcome: "rejected" });
    expect(await second.play("two")).toMatchObject({ outcome: "committed" });
    await until(() => [first, second, third].every((match) => match.confirmed.get().join() === "one,two"), "one game everywhere");
    first.channel("chat").broadcast(utf8("hello"));
    const heard = new Promise<string>((resolve) => void second.channel("chat").on("frame", (_, bytes) => resolve(fromUtf8(bytes))));
    expect(await heard).toBe("hello");
  });

  test("servers are stopped and started one after the other while everybody plays: no move fails, none happens twice", async () => {
    const running = await core();
    const tabs = [await open(words, running), await open(words, running)];
    const outcomes: Promise<unknown>[] = [];
    let said = 0;
    const say = (): void => tabs.forEach((tab) => outcomes.push(tab.play(`w${(said += 1)}`)));
    for (const name of running.names) {
      for (let n = 0; n < 20; n += 1) say();
      await running.stop(name);
      for (let n = 0; n < 20; n += 1) say();
      await Promise.all(outcomes);
      await running.start(name);
    }
    expect((await Promise.all(outcomes)).every((outcome) => (outcome as { outcome: string }).outcome === "committed")).toBe(true);
    await until(() => tabs.every((tab) => tab.confirmed.get().length === said), "everything is everywhere");
    expect(tabs[0]!.confirmed.get()).toEqual(tabs[1]!.confirmed.get());
    expect(new Set(tabs[0]!.confirmed.get()).size).toBe(said);
  }, 60_000);

  test("without any server the tab says where it knocks, and goes on where it was as soon as one is back", async () => {
    const running = await core({ size: 1 });
    const match = await open(words, running);
    await match.play("before");
    await running.stop("a");
    await until(() => match.status.get().phase === "reconnecting" && match.status.get().way?.phase === "waiting", "it says that it is cut off");
    const played = match.play("meanwhile");
    expect(match.state.get()).toEqual(["before", "meanwhile"]);
    await running.start("a");
    expect(await played).toMatchObject({ outcome: "committed" });
    expect(match.status.get().way).toMatchObject({ phase: "connected", window: "resumed" });
  });

  test("who leaves gives up its seat, and the next who comes takes it", async () => {
    const running = await core();
    const first = await open(words, running);
    const second = await open(words, running);
    await second.leave();
    await until(() => first.status.get().phase === "waiting", "the seat is free");
    const third = await open(words, running);
    expect(third.status.get().seat).toBe(1);
  });

  test("a page that goes and is shown again has its seat, and one that is gone for good gives it to who brings its identity along", async () => {
    const running = await core();
    const page = new Page();
    const first = await open(words, running, { name: "Ann", page });
    const second = await open(words, running, { name: "Bob" });
    await first.play("one");
    const { selfId, seat } = first.status.get();
    page.tell("hide");
    await until(() => second.players.get()[0]?.presence !== "here", "it is seen to go");
    page.tell("show");
    await until(() => first.status.get().phase === "live", "it is back");
    expect(first.status.get()).toMatchObject({ selfId, seat, way: { phase: "connected", window: "resumed" } });
    expect(await first.play("two")).toMatchObject({ outcome: "committed" });
    const file = await first.exportIdentity("a phrase");
    page.tell("hide");
    const heir = await open(words, running, { name: "Ann", returnAs: { file, passphrase: "a phrase" } });
    await until(() => heir.status.get().seat === seat, "the seat is moved");
    expect(await heir.play("three")).toMatchObject({ outcome: "committed" });
    expect(heir.confirmed.get()).toEqual(["one", "two", "three"]);
  });

  test("a room with a secret is another room on the servers than one of its name, and its code leads there", async () => {
    const running = await core();
    const key = "0123456789abcdefghjkmnpqrs";
    const secret = await open(words, running, { key, seats: 3 });
    const plain = await open(words, running, { seats: 3 });
    const invited = await open(words, running, { room: secret.invite.code, seats: 3 });
    await until(() => secret.players.get().length === 2, "both are there");
    expect(plain.players.get()).toHaveLength(1);
    expect(invited.status.get().seat).toBe(1);
  });

  test("what is due happens once, although no tab leads", async () => {
    const running = await core();
    const tabs = [await open(clocked, running), await open(clocked, running)];
    await tabs[1]!.play(100);
    await until(() => tabs.every((tab) => tab.confirmed.get().rang === 1), "it rang");
    await new Promise((done) => setTimeout(done, 300));
    expect(tabs.map((tab) => tab.confirmed.get())).toEqual([{ until: 0, rang: 1 }, { until: 0, rang: 1 }]);
  });

  test("what tabs decide among themselves is refused, before anything starts", async () => {
    const running = await core({ size: 1 });
    const given: Partial<MatchOptions<Words, string>>[] = [
      { witness: true }, { password: "p" }, { signaling: "wss://there" }, { iceServers: [] }, { admit: () => true }, { from: new Uint8Array() },
      { placement: { core: [] } }, { placement: { core: ["not a url"] } },
    ];
    for (const options of given) {
      const failure: unknown = await openMatch({ room: "den", game: words, placement: { core: running.endpoints }, openSocket: openNodeSocket, ...options }).catch((error: unknown) => error);
      expect([Object.keys(options), hasCode(failure, "invalid-argument")]).toEqual([Object.keys(options), true]);
    }
    const match = await open(words, running);
    await expect(match.continueWithout()).rejects.toBeInstanceOf(InvalidArgumentError);
    expect(() => match.cluster({ shards: 2, handler: () => Promise.resolve(new Uint8Array()) })).toThrow(InvalidArgumentError);
  });
});
