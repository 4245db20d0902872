// A seam whose backing is taken away and given back.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ManagedSeam } from "./managed-seam.ts";
import { MemoryHub } from "./memory-seam.ts";
import { MuxSeam } from "./mux.ts";

const [ann, bob] = [peerId("ann"), peerId("bob")];

function rooms(): { readonly clock: VirtualClock; readonly here: MemoryHub; readonly there: MemoryHub } {
  const clock = new VirtualClock();
  const hub = (): MemoryHub => new MemoryHub({ clock, random: seededRandom(1), payloadBytesMax: 10_000 });
  return { clock, here: hub(), there: hub() };
}

describe("ManagedSeam", () => {
  test("[MS1] without a backing it is alone, with one it shows the others", async () => {
    const { clock, here } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    expect([...seam.peers]).toEqual([ann]);
    expect(seam.state.phase).toBe("weaving");
    seam.broadcast(Uint8Array.of(1));
    expect(() => seam.sendTo(bob, Uint8Array.of(1))).toThrow(expect.objectContaining({ code: "peer-not-connected" }));
    const other = here.seam(bob);
    seam.attach(here.seam(ann));
    await clock.advance(10);
    expect([...seam.peers].sort()).toEqual([ann, bob]);
    const heard: number[] = [];
    seam.on("frame", (_, bytes) => heard.push(bytes[0] ?? -1));
    other.broadcast(Uint8Array.of(7));
    await clock.advance(10);
    expect(heard).toEqual([7]);
    await seam.close();
    await clock.advance(10);
    expect([...other.peers]).toEqual([bob]);
  });

  test("[MS1] a broadcast is one call to the backing, which may have somebody else make the copies", async () => {
    const { clock, here } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    const backing = here.seam(ann);
    const others = [here.seam(bob), here.seam(peerId("cat"))];
    const calls: string[] = [];
    for (const name of ["broadcast", "sendTo"] as const) {
      const call = backing[name].bind(backing) as (...args: unknown[]) => void;
      backing[name] = (...args: unknown[]): void => {
        calls.push(name);
        call(...args);
      };
    }
    seam.attach(backing);
    await clock.advance(10);
    const heard: number[] = [];
    for (const other of others) other.on("frame", (_, bytes) => heard.push(bytes[0] ?? -1));
    seam.broadcast(Uint8Array.of(7));
    await clock.advance(10);
    expect(heard).toEqual([7, 7]);
    expect(calls).toEqual(["broadcast"]);
    await seam.close();
  });

  test("[MS2] another backing takes over: views and listeners stay, the old peers vanish", async () => {
    const { clock, here, there } = rooms();
    const [friend, stranger] = [here.seam(bob), there.seam(peerId("cat"))];
    const seam = new ManagedSeam(ann, 10_000);
    const view = new MuxSeam(seam).channel(3);
    const heard: string[] = [];
    view.on("frame", (from, bytes) => heard.push(`${from} ${bytes.join()}`));
    const first = here.seam(ann);
    seam.attach(first);
    await clock.advance(10);
    new MuxSeam(friend).channel(3).sendTo(ann, Uint8Array.of(1));
    await clock.advance(10);
    seam.attach(there.seam(ann));
    await clock.advance(10);
    expect([...view.peers].sort()).toEqual([ann, peerId("cat")]);
    new MuxSeam(stranger).channel(3).sendTo(ann, Uint8Array.of(2));
    await clock.advance(10);
    expect(heard).toEqual(["bob 1", "cat 2"]);
    expect(first.state.phase).not.toBe("torn");
    const got: number[] = [];
    friend.on("frame", (_, bytes) => got.push(bytes.length));
    view.broadcast(Uint8Array.of(3));
    await clock.advance(10);
    expect(got).toEqual([]);
    await Promise.all([seam.close(), first.close()]);
  });

  test("[MS3] a backing that tears by itself is told, and the seam goes on", async () => {
    const { clock, here, there } = rooms();
    const lost: string[] = [];
    const seam = new ManagedSeam(ann, 10_000, (reason) => lost.push(reason));
    const backing = here.seam(ann);
    here.seam(bob);
    seam.attach(backing);
    await clock.advance(10);
    await backing.close();
    expect(lost).toHaveLength(1);
    expect([...seam.peers]).toEqual([ann]);
    expect(seam.state.phase).toBe("woven");
    there.seam(bob);
    seam.attach(there.seam(ann));
    await clock.advance(10);
    expect([...seam.peers].sort()).toEqual([ann, bob]);
    await seam.close();
  });

  test("[MS4] closed, it closes its backing once and takes no other", async () => {
    const { here } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    const backing = here.seam(ann);
    seam.attach(backing);
    await seam.end("the server refused");
    await seam.close();
    expect(backing.state.phase).toBe("torn");
    expect(seam.state).toEqual({ phase: "torn", reason: "the server refused" });
    expect(() => seam.attach(here.seam(bob))).toThrow(expect.objectContaining({ code: "seam-torn" }));
  });

  test("[MS4] whoever closes it, at whatever moment, waits until its backing has ended", async () => {
    const { here } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    const backing = here.seam(ann);
    let endBacking = (): void => {};
    const mayEnd = new Promise<void>((done) => (endBacking = done));
    const close = backing.close.bind(backing);
    backing.close = async () => {
      await mayEnd;
      await close();
    };
    seam.attach(backing);
    const ended: string[] = [];
    seam.on("state", () => void seam.close().then(() => ended.push("in answer")));
    const both = [seam.close().then(() => ended.push("first")), seam.end("late").then(() => ended.push("second"))];
    expect(seam.state).toEqual({ phase: "torn", reason: "closed" });
    await new Promise((done) => setTimeout(done));
    expect(ended).toEqual([]);
    endBacking();
    await Promise.all(both);
    expect(ended.sort()).toEqual(["first", "in answer", "second"]);
  });

  test("[MS4] what is handed in while its backing ends is refused, too", async () => {
    const { here, there } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    const backing = here.seam(ann);
    seam.attach(backing);
    const refusals: unknown[] = [];
    backing.on("state", () => {
      try {
        seam.attach(there.seam(ann));
      } catch (error) {
        refusals.push(error);
      }
    });
    await seam.close();
    expect(refusals).toMatchObject([{ code: "seam-torn" }]);
    expect([...seam.peers]).toEqual([ann]);
  });

  test("[MS5] a backing of somebody else, or a smaller one, is refused and changes nothing", () => {
    const { here } = rooms();
    const seam = new ManagedSeam(ann, 10_000);
    const backing = here.seam(ann);
    seam.attach(backing);
    expect(() => seam.attach(here.seam(bob))).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(() => new ManagedSeam(bob, 10_001).attach(here.seam(bob))).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(seam.detach()).toBe(backing);
  });
});
