// What a durable writer had in flight when its tab died, and what becomes of it.
import { describe, expect, test } from "vitest";
import { MemoryByteStore, type ByteStoreOp } from "../storage/index.ts";
import { SERIAL_WINDOW } from "./client-sessions.ts";
import { EMPTY_OUTBOX, Outbox, OUTBOX_RECORDS, readOutbox } from "./outbox.ts";
import type { Replica } from "./replica.ts";
import { appliedBytes, TestGroup, type TestPeer } from "./test-room.ts";

const durable = (): { identity: "durable" } => ({ identity: "durable" });
const outboxKeys = ({ disk }: TestPeer): string[] => [...disk.records.keys()].filter((key) => key.startsWith("outbox/"));
const resumedBytes = (node: Replica): number[] => node.resumed.map(({ payload }) => payload[0]!);

/** Three peers of which one, not the leader, is about to write. */
async function three(seed: number): Promise<{ group: TestGroup; writer: TestPeer; others: TestPeer[] }> {
  const group = await TestGroup.open(3, seed, durable);
  const leader = await group.leader();
  const writer = group.peers.find((peer) => peer !== leader)!;
  await group.until(writer.node.propose(Uint8Array.of(1)));
  return { group, writer, others: group.peers.filter((peer) => peer !== writer) };
}

const cutOff = (group: TestGroup, writer: TestPeer, others: readonly TestPeer[]): void => others.forEach(({ id }) => group.hub.cut(writer.id, id));

describe("a durable writer's outbox", () => {
  test("[OB1] what was in flight when the tab died is told to the next one and proposed again under the same keys, applied once", async () => {
    const { group, writer, others } = await three(1);
    cutOff(group, writer, others);
    const lost = [2, 3, 4].map((byte) => writer.node.propose(Uint8Array.of(byte)));
    for (const promise of lost) promise.catch(() => {});
    const { clientId, lastRequestId } = writer.node;
    await group.clock.advance(10);
    group.crash(writer);
    await group.clock.advance(1_000);
    group.hub.heal();
    const again = await group.reopen(writer);
    expect(again.clientId).toBe(clientId);
    expect(again.resumed.map(({ key, payload, lane }) => [key.clientId, key.requestId, payload[0], lane])).toEqual([2, 3, 4].map((byte, at) => [clientId, lastRequestId - 2 + at, byte, 1]));
    expect(again.status.pendingCount).toBe(3);
    const outcomes = await group.until(Promise.all(again.resumed.map(({ outcome }) => outcome)));
    expect(outcomes.map(({ key }) => key.requestId)).toEqual([lastRequestId - 2, lastRequestId - 1, lastRequestId]);
    const next = await group.until(again.propose(Uint8Array.of(5)));
    expect(next.key.requestId).toBeGreaterThan(lastRequestId);
    await group.until(others[0]!.node.readIndex());
    expect(appliedBytes(others[0]!.node)).toEqual([1, 2, 3, 4, 5]);
    await group.close();
  });

  for (const when of ["before it went out", "after it committed"] as const) {
    test(`[OB1] a tab that died ${when} leaves a command that is applied exactly once`, async () => {
      const { group, writer, others } = await three(2);
      if (when === "before it went out") cutOff(group, writer, others);
      const proposed = writer.node.propose(Uint8Array.of(2));
      proposed.catch(() => {});
      if (when === "before it went out") await group.clock.advance(1);
      else {
        // The answer is there, the record of the outbox too.
        await group.until(proposed);
        expect(outboxKeys(writer)).not.toEqual([]);
      }
      group.crash(writer);
      group.hub.heal();
      await group.clock.advance(1_000);
      const again = await group.reopen(writer);
      const outcomes = await group.until(Promise.all(again.resumed.map(({ outcome }) => outcome)));
      expect(outcomes.map(({ key }) => key)).toEqual([{ clientId: again.clientId, requestId: 2 }]);
      if (when === "after it committed") expect(outcomes).toEqual([await proposed]);
      await group.until(others[0]!.node.readIndex());
      expect(appliedBytes(others[0]!.node)).toEqual([1, 2]);
      await group.close();
    });
  }

  test("[OB2] what one turn proposed is one record in one write, and what is settled leaves with other writes", async () => {
    const group = await TestGroup.open(1, 3, durable);
    const [peer] = group.peers;
    await group.until(peer!.node.propose(Uint8Array.of(0)));
    await group.clock.advance(1_000);
    expect(outboxKeys(peer!)).toEqual([]);
    const batches: (readonly ByteStoreOp[])[] = [];
    peer!.store.plan = (_, ops) => void batches.push(ops) as undefined;
    const before = peer!.store.writes;
    await group.until(Promise.all(Array.from({ length: 64 }, (_, at) => peer!.node.propose(Uint8Array.of(at)))));
    // A leader's outbox shares the batch of its entries.
    expect(batches[0]!.map((op) => (op.type === "put" ? op.key.replace(/\d+/, "N").replace(/\/[^/]*$/, "") : op.type))).toEqual(["outbox/N", "raft/log", "raft"]);
    expect(peer!.store.writes - before).toBeLessThanOrEqual(2);
    await group.clock.advance(1_000);
    expect(outboxKeys(peer!)).toEqual([]);
    await group.close();
  });

  test("[OB2] a leader's outbox costs no write of its own; a follower's costs one a turn, under way while the command travels", async () => {
    const { group, writer: follower } = await three(10);
    const leader = await group.leader();
    await group.clock.advance(1_000);
    for (const [peer, most] of [[leader, 1], [follower, 2]] as const) {
      const before = peer.store.writes;
      for (let move = 0; move < 50; move += 1) await group.until(peer.node.propose(Uint8Array.of(move)));
      // One more may be a reservation of serials, and lazy removals or the news of the last commit.
      expect(peer.store.writes - before).toBeLessThanOrEqual(50 * most + 3);
    }
    await group.close();
  });

  test("[OB2] a node that closes in good order leaves nothing to resume but what is open", async () => {
    const { group, writer, others } = await three(4);
    await group.until(writer.node.propose(Uint8Array.of(2)));
    cutOff(group, writer, others);
    const open = writer.node.propose(Uint8Array.of(3));
    await writer.node.close();
    await expect(open).rejects.toMatchObject({ code: "closed" });
    group.hub.heal();
    const again = await group.reopen(writer);
    expect(resumedBytes(again)).toEqual([3]);
    await group.until(again.resumed[0]!.outcome);
    await again.close();
    expect(resumedBytes(await group.reopen(writer))).toEqual([]);
    await group.close();
  });

  test("[OB3] an aborted command is not proposed again; one that timed out is, and may be asked for before that", async () => {
    const { group, writer, others } = await three(5);
    cutOff(group, writer, others);
    const aborting = new AbortController();
    const withdrawn = writer.node.propose(Uint8Array.of(2), { signal: aborting.signal });
    const waiting = writer.node.propose(Uint8Array.of(3));
    const asked = writer.node.propose(Uint8Array.of(4));
    await group.clock.advance(10);
    aborting.abort(new Error("changed my mind"));
    await expect(withdrawn).rejects.toThrow("changed my mind");
    await expect(group.until(waiting)).rejects.toMatchObject({ code: "proposal-timeout" });
    const error = await asked.catch((reason: { requestId: number }) => reason);
    const { requestId } = error as { requestId: number };
    group.hub.heal();
    const committed = await group.until(writer.node.propose(Uint8Array.of(4), { requestId }));
    await group.clock.advance(500);
    group.crash(writer);
    const again = await group.reopen(writer);
    // The fourth shares a record with the third, which is still open: it comes back as what it is, committed.
    expect(resumedBytes(again)).toEqual([3, 4]);
    const outcomes = await group.until(Promise.all(again.resumed.map(({ outcome }) => outcome)));
    expect(outcomes[1]).toEqual(committed);
    await group.until(others[0]!.node.readIndex());
    expect(appliedBytes(others[0]!.node)).toEqual([1, 4, 3]);
    await group.close();
  });

  test("[OB3] a refused command is not proposed again", async () => {
    const { group, writer, others } = await three(6);
    cutOff(group, writer, others);
    const first = writer.node.propose(Uint8Array.of(2));
    first.catch(() => {});
    const requestId = writer.node.lastRequestId;
    await group.clock.advance(10);
    await expect(group.until(writer.node.propose(Uint8Array.of(9), { requestId }))).rejects.toMatchObject({ code: "busy" });
    group.crash(writer);
    group.hub.heal();
    expect(resumedBytes(await group.reopen(writer))).toEqual([2]);
    await group.close();
  });

  test("[OB4] a damaged record is reported by name and skipped; the log and the other records are not touched", async () => {
    const { group, writer, others } = await three(7);
    cutOff(group, writer, others);
    for (const byte of [2, 3]) {
      writer.node.propose(Uint8Array.of(byte)).catch(() => {});
      await group.clock.advance(10);
    }
    group.crash(writer);
    const records = await new MemoryByteStore(writer.disk).readRange(OUTBOX_RECORDS.from, OUTBOX_RECORDS.to);
    const [damaged, whole] = records.filter(([key]) => key.includes(writer.node.clientId)).slice(-2);
    for (let at = 0; at < damaged![1].length; at += 1) {
      const bytes = damaged![1].map((byte, where) => (where === at ? byte ^ 0x10 : byte));
      const found = readOutbox([[damaged![0], bytes], whole!], writer.node.clientId);
      expect(found.damaged).toMatchObject([{ code: "corrupt-state", record: damaged![0] }]);
      expect(found.commands.map(({ payload }) => payload[0])).toEqual([3]);
    }
    writer.disk.records.set(damaged![0], damaged![1].subarray(0, 7));
    group.hub.heal();
    const again = await group.reopen(writer);
    expect(again.outboxDamage).toMatchObject([{ record: damaged![0] }]);
    expect(resumedBytes(again)).toEqual([3]);
    await group.until(again.resumed[0]!.outcome);
    await group.clock.advance(1_000);
    expect(outboxKeys(writer)).toEqual([]);
    await group.until(others[0]!.node.readIndex());
    expect(appliedBytes(others[0]!.node)).toEqual([1, 3]);
    await group.close();
  });

  test("[OB5] a writer that nobody answers is told that it is busy, and goes on once the oldest that timed out was given up", async () => {
    const { group, writer, others } = await three(8);
    cutOff(group, writer, others);
    const open = Array.from({ length: SERIAL_WINDOW }, () => writer.node.propose(Uint8Array.of(2)));
    await expect(writer.node.propose(Uint8Array.of(3))).rejects.toMatchObject({ code: "busy" });
    expect(new Set(await group.until(Promise.all(open.map((promise) => promise.catch((error: { code: string }) => error.code)))))).toEqual(new Set(["proposal-timeout"]));
    await expect(writer.node.propose(Uint8Array.of(3))).rejects.toMatchObject({ code: "busy" });
    await group.clock.advance(100);
    const late = writer.node.propose(Uint8Array.of(3));
    await group.clock.advance(100);
    group.crash(writer);
    await expect(late).rejects.toMatchObject({ code: "closed" });
    group.hub.heal();
    const again = await group.reopen(writer);
    expect(again.resumed).toHaveLength(SERIAL_WINDOW);
    expect(resumedBytes(again).at(-1)).toBe(3);
    await group.until(Promise.all(again.resumed.map(({ outcome }) => outcome)));
    await group.until(others[0]!.node.readIndex());
    expect(appliedBytes(others[0]!.node)).toHaveLength(1 + SERIAL_WINDOW);
    await group.close();
  });

  test("an auto writer keeps nothing and resumes nothing", async () => {
    const group = await TestGroup.open(1, 9);
    const [peer] = group.peers;
    await group.until(peer!.node.propose(Uint8Array.of(1)));
    expect(outboxKeys(peer!)).toEqual([]);
    group.crash(peer!);
    expect((await group.reopen(peer!)).resumed).toEqual([]);
    await group.close();
  });
});

describe("outbox records", () => {
  const gone: number[] = [];
  const fresh = (): Outbox => new Outbox("me", 1_000, (requestId) => gone.push(requestId), EMPTY_OUTBOX);
  const command = (requestId: number, bytes = 1): { requestId: number; lane: number; payload: Uint8Array } => ({ requestId, lane: 1, payload: new Uint8Array(bytes) });
  const applyTo = async (store: MemoryByteStore, outbox: Outbox): Promise<void> => {
    await store.write(outbox.take());
    outbox.written();
  };
  const found = async (store: MemoryByteStore, clientId = "me"): Promise<number[]> => readOutbox(await store.readRange(OUTBOX_RECORDS.from, OUTBOX_RECORDS.to), clientId).commands.map(({ requestId }) => requestId);

  test("[OB3] a withdrawn command leaves storage alone, and its serial is free only then", async () => {
    const store = new MemoryByteStore();
    const outbox = fresh();
    for (const serial of [1, 2, 3]) outbox.add(command(serial));
    await applyTo(store, outbox);
    outbox.withdraw(2);
    expect(gone).toEqual([]);
    expect(await found(store)).toEqual([1, 2, 3]);
    await applyTo(store, outbox);
    expect([await found(store), gone]).toEqual([[1, 3], [2]]);
    outbox.settle(1);
    outbox.settle(3);
    await applyTo(store, outbox);
    expect(await found(store)).toEqual([]);
  });

  test("[OB1] what a failed batch held is written with the next one, whether the first had happened or not", async () => {
    for (const happened of [false, true]) {
      const store = new MemoryByteStore();
      const outbox = fresh();
      outbox.add(command(1));
      outbox.add(command(2));
      const ops = outbox.take();
      outbox.settle(1);
      outbox.add(command(3));
      if (happened) await store.write(ops);
      outbox.failed();
      await applyTo(store, outbox);
      expect(await found(store)).toEqual([2, 3]);
      outbox.settle(2);
      outbox.settle(3);
      await applyTo(store, outbox);
      expect(await found(store)).toEqual([]);
    }
  });

  test("[OB2] a new record takes the place of a settled one in a single put, also when the batch had to be written twice", async () => {
    for (const happened of [false, true]) {
      const store = new MemoryByteStore();
      const outbox = fresh();
      outbox.add(command(1));
      await applyTo(store, outbox);
      outbox.settle(1);
      outbox.add(command(2));
      const ops = outbox.take();
      expect(ops.map(({ type }) => type)).toEqual(["put"]);
      outbox.add(command(3));
      if (happened) await store.write(ops);
      outbox.failed();
      await applyTo(store, outbox);
      expect(await found(store)).toEqual([2, 3]);
      outbox.settle(3);
      await applyTo(store, outbox);
      expect(await found(store)).toEqual([2]);
      outbox.settle(2);
      await applyTo(store, outbox);
      expect(await store.readRange(OUTBOX_RECORDS.from, OUTBOX_RECORDS.to)).toEqual([]);
    }
  });

  test("writers of one storage do not see one another's commands", async () => {
    const store = new MemoryByteStore();
    const ids = ["me", "me/2", "2"];
    for (const [at, id] of ids.entries()) {
      const outbox = new Outbox(id, 1_000, () => {}, EMPTY_OUTBOX);
      outbox.add(command(at + 1));
      await applyTo(store, outbox);
    }
    expect(await Promise.all(ids.map((id) => found(store, id)))).toEqual([[1], [2], [3]]);
  });

  test("[OB5] bytes are counted while anything of a record is open", async () => {
    const store = new MemoryByteStore();
    const outbox = fresh();
    outbox.add(command(1, 600));
    outbox.add(command(2, 300));
    expect([outbox.hasRoom(100), outbox.hasRoom(101)]).toEqual([true, false]);
    await applyTo(store, outbox);
    outbox.settle(1);
    expect(outbox.hasRoom(101)).toBe(false);
    outbox.settle(2);
    expect(outbox.hasRoom(5_000)).toBe(true);
  });
});

