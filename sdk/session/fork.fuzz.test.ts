// Whoever cuts, crashes, comes back and goes on alone, in any order: when all can hear each other again, one group of the match is left and all are in it.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasCode, utf8, type PeerId } from "../base/index.ts";
import { gameFork, gameJoin } from "./enter.ts";
import { isHeld, lineageOf } from "./lineage.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";

/** One person's tab: in a session, or on its way into one, as a match does it. */
class Tab {
  readonly id: PeerId;
  readonly #room: Room;
  session: GameSession | undefined;
  isDown = false;

  constructor(id: PeerId, room: Room) {
    this.id = id;
    this.#room = room;
  }

  begin(session: GameSession): void {
    this.session = session;
    session.on("closed", (reason) => {
      if (this.session === session) this.session = undefined;
      // What it had is over: whatever the room plays now is what counts.
      if (!this.isDown && reason !== undefined) void this.#enter();
    });
  }

  async crash(): Promise<void> {
    this.isDown = true;
    this.#room.hub.kill(this.id);
    const { session } = this;
    this.session = undefined;
    await session?.close();
  }

  async comeBack(): Promise<void> {
    this.isDown = false;
    const seam = this.#room.seam(this.id);
    const session = await this.#room.resume(this.id).catch(() => undefined);
    if (session === undefined) return this.#enter(seam);
    if (session.isClosed) return this.#enter();
    this.begin(session);
  }

  async goOnAlone(): Promise<boolean> {
    const { session } = this;
    if (session === undefined || session.isClosed || session.node.leader !== undefined || !session.node.membership.voters.includes(this.id)) return false;
    const log = session.node.exportLog({ uncommitted: true });
    this.session = undefined;
    await session.close();
    this.begin(await this.#keep(gameFork(this.#room.seam(this.id), { ...this.#room.environment, storage: this.#room.disk(this.id), from: session.groupId, log })));
    return true;
  }

  async #enter(seam = this.#room.seam(this.id)): Promise<void> {
    while (!this.isDown && this.session === undefined) {
      try {
        this.begin(await this.#keep(gameJoin(seam, { ...this.#room.environment, storage: this.#room.disk(this.id) })));
      } catch (error) {
        if (!["join-timeout", "stale-owner", "split-brain", "closed"].some((code) => hasCode(error, code))) throw error;
        if (hasCode(error, "closed")) return;
      }
    }
  }

  async #keep(entering: Promise<GameSession>): Promise<GameSession> {
    const session = await entering;
    this.#room.sessions.push(session);
    return session;
  }
}

type Step = { readonly does: "cut" | "heal" | "wait" } | { readonly does: "crash" | "come back" | "go on" | "move"; readonly who: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ does: fc.constantFrom("cut" as const, "heal" as const, "heal" as const, "wait" as const) }) },
    { weight: 5, arbitrary: fc.record({ does: fc.constantFrom("crash" as const, "come back" as const, "go on" as const, "move" as const), who: fc.nat({ max: 2 }) }) },
  ),
  { minLength: 3, maxLength: 10 },
);

test("[SE38] [SE39] whoever goes on without whom, in the end one fork is in force and everybody is in it, under the highest epoch anybody claimed", async () => {
  const seen = { forks: 0, epochs: 0 };
  await fc.assert(
    fc.asyncProperty(fc.constantFrom([ann, bob], [ann, bob, cat]), steps, async (ids, script) => {
      const room = new Room();
      const tabs = ids.map((id) => new Tab(id, room));
      for (const [at, session] of (await room.durableGroup(ids)).entries()) tabs[at]!.begin(session);
      const claimed = new Map<string, string>();
      const underWay: Promise<unknown>[] = [];
      const others = (tab: Tab): Tab[] => tabs.filter((other) => other !== tab);
      for (const step of script) {
        const tab = "who" in step ? tabs[step.who % tabs.length]! : tabs[0]!;
        // Alone, and long enough to know it.
        if (step.does === "go on") for (const other of others(tab)) room.hub.cut(tab.id, other.id);
        if (step.does === "go on") await room.clock.advance(15_000);
        if (step.does === "cut") for (const other of others(tab)) room.hub.cut(tab.id, other.id);
        if (step.does === "heal") room.hub.heal();
        if (step.does === "crash" && !tab.isDown) underWay.push(tab.crash());
        if (step.does === "come back" && tab.isDown) underWay.push(tab.comeBack());
        if (step.does === "move") underWay.push(tab.session?.node.propose(utf8("move")).catch(() => {}) ?? Promise.resolve());
        if (step.does === "go on" && (await room.get(tab.goOnAlone()))) {
          seen.forks += 1;
          const { fence, groupId } = tab.session ?? {};
          if (fence !== undefined && groupId !== undefined) {
            expect(isHeld({ groupId, fence })).toBe(true);
            // A group is one owner's for ever: nobody else claims under its name.
            expect(claimed.get(groupId) ?? fence.owner).toBe(fence.owner);
            claimed.set(groupId, fence.owner);
          }
        }
        await room.clock.advance(step.does === "wait" ? 30_000 : 3_000);
      }
      room.hub.heal();
      for (const tab of tabs) if (tab.isDown) underWay.push(tab.comeBack());
      const isOne = (): boolean => tabs.every(({ session }) => session !== undefined && session.groupId === tabs[0]!.session?.groupId && session.node.leader !== undefined && session.presence.self.synced);
      const ended = await room.until(isOne, 300_000);
      expect(ended, JSON.stringify(tabs.map(({ id, session }) => [id, session?.groupId, session?.node.leader, session?.fence?.epoch]))).toBe(true);
      const epochs = [...claimed.keys()].map((groupId) => lineageOf(groupId).epoch);
      for (const { session } of tabs) expect(session!.fence?.epoch ?? 1).toBe(Math.max(1, ...epochs));
      seen.epochs = Math.max(seen.epochs, ...epochs, 1);
      for (const tab of tabs) tab.isDown = true;
      await room.end();
      await room.clock.advance(120_000);
      await room.get(Promise.allSettled(underWay));
      expect(room.clock.pendingTimers).toBe(0);
    }),
    { numRuns: 30 },
  );
  expect(seen.forks).toBeGreaterThan(0);
  expect(seen.epochs).toBeGreaterThan(1);
});
