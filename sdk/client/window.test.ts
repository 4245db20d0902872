// A whole window of open proposals, through silences that last longer than a node waits: none is given up for another.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasCode, peerId } from "../base/index.ts";
import { SERIAL_WINDOW } from "../replica/index.ts";
import type { ClusterClient, ClientProposeOptions } from "./cluster-client.ts";
import { applied, command, CORE, Room } from "./test-room.ts";

const bot = peerId("bot");
let room: Room;
beforeEach(async () => {
  room = await Room.open();
});
afterEach(() => room.end());

/** What became of each number proposed so far: where it was committed, or the code it was refused with. */
type Fates = Map<number, number | string>;

async function tell(client: ClusterClient, fates: Fates, value: number, options?: ClientProposeOptions): Promise<void> {
  await client.propose(command(value), options).then(({ index }) => fates.set(value, index), (error: unknown) => fates.set(value, hasCode(error, "busy") ? "busy" : String(error)));
}

for (const isDurable of [false, true]) {
  describe(isDurable ? "a client with records of its own" : "a client without records", () => {
    const enter = (): Promise<ClusterClient> => room.client(bot, room.endpoints(bot, "good"), isDurable ? { storage: room.disk(bot) } : {});

    test("[CC21] with as many open as may be, and no answer for longer than a node waits, loses none of them to what is proposed meanwhile", async () => {
      const client = await enter();
      for (const core of CORE.slice(0, 2)) await room.kill(core);
      const fates: Fates = new Map();
      const told = Array.from({ length: SERIAL_WINDOW }, (_, value) => tell(client, fates, value));
      await room.until(() => false, 17_000);
      expect(client.status.pendingCount).toBe(SERIAL_WINDOW);
      // Whoever asks for one more is told at once that there is no room for it.
      await room.get(tell(client, fates, 5_000));
      expect([...fates]).toEqual([[5_000, "busy"]]);
      fates.clear();
      for (const core of CORE.slice(0, 2)) await room.restart(core);
      // From now on somebody proposes whenever there may be room.
      for (let value = SERIAL_WINDOW; fates.size < 2 * SERIAL_WINDOW && value < 8 * SERIAL_WINDOW; value += 1) {
        told.push(tell(client, fates, value));
        if (value % 16 === 0) await room.clock.advance(25);
      }
      await room.get(Promise.all(told));
      const committed = [...fates].filter(([, fate]) => fate !== "busy");
      expect(committed.filter(([, fate]) => typeof fate === "string")).toEqual([]);
      for (let value = 0; value < SERIAL_WINDOW; value += 1) expect(fates.get(value), `${value}`).toEqual(expect.any(Number));
      const expected = committed.map(([value, index]) => ({ index, value })).sort((one, other) => Number(one.index) - Number(other.index));
      expect(applied(client.node)).toEqual(expected);
      expect(applied(room.leader!.node)).toEqual(expected);
    });
  });
}
