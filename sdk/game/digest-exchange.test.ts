// Who came to another state, and where, is found by comparing digests.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { AHEAD_MAX, COMPARED_PEERS_MAX, DigestExchange, OWN_DIGESTS_MAX, type Divergence } from "./digest-exchange.ts";
import { stateDigest } from "./digest.ts";
import { counterRules, openTable, type CounterAction } from "./test-fixtures.ts";

const digest = (of: number): string => of.toString(16).padStart(16, "0");

class Peer {
  readonly told: (Divergence | PeerId)[] = [];
  readonly exchange: DigestExchange;
  readonly id: PeerId;

  constructor(name: string, groupId = "g") {
    this.id = peerId(name);
    this.exchange = new DigestExchange({ groupId, onDivergence: (divergence) => this.told.push(divergence), onAgreement: (peer) => this.told.push(peer) });
  }

  says(index: number, of: number, ...others: readonly Peer[]): void {
    this.exchange.took({ index, digest: digest(of) });
    for (const other of others) other.exchange.heard(this.id, this.exchange.frame!);
  }
}

describe("[GA74] a difference is told once, with the peer, the index and the last index that was the same", () => {
  test("whichever of the two is first", () => {
    const [ann, bob] = [new Peer("ann"), new Peer("bob")];
    ann.says(5, 1, bob);
    bob.says(5, 1, ann);
    bob.says(9, 3, ann);
    ann.says(9, 2, bob);
    ann.says(12, 4, bob);
    bob.says(12, 5, ann);
    expect(ann.told).toEqual([{ peer: bob.id, index: 9, agreedIndex: 5, own: digest(2), theirs: digest(3) }]);
    expect(bob.told).toEqual([{ peer: ann.id, index: 9, agreedIndex: 5, own: digest(3), theirs: digest(2) }]);
    expect(ann.exchange.divergences).toEqual(ann.told);
  });

  test("and not where only one of them looked, in another group, or about what is long past", () => {
    const [ann, bob, cat] = [new Peer("ann"), new Peer("bob"), new Peer("cat", "another")];
    ann.says(5, 1, bob, cat);
    bob.says(6, 2, ann);
    cat.says(5, 3, ann);
    ann.says(7, 1, bob);
    bob.says(7, 1, ann);
    const late = new Peer("bob");
    late.says(5, 9, ann);
    expect([ann.told, bob.told, cat.told]).toEqual([[], [], []]);
  });
});

test("[GA75] a peer that has the same state again, or is gone, does not differ any more", () => {
  const [ann, bob] = [new Peer("ann"), new Peer("bob")];
  const differ = (index: number): void => {
    bob.says(index, 2, ann);
    ann.says(index, 1, bob);
  };
  differ(3);
  bob.says(4, 7, ann);
  ann.says(4, 7, bob);
  expect([ann.told.length, ann.told[1], ann.exchange.divergences]).toEqual([2, bob.id, []]);
  differ(5);
  expect(ann.exchange.divergences).toMatchObject([{ index: 5, agreedIndex: 4 }]);
  ann.exchange.forget(bob.id);
  ann.exchange.forget(bob.id);
  expect([ann.told.length, ann.exchange.divergences]).toEqual([4, []]);
});

describe("[GA76] whatever a peer sends", () => {
  test("is dropped and counted when it can not be read, and never throws", () => {
    const ann = new Peer("ann");
    ann.says(1, 1);
    const { frame } = ann.exchange;
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => ann.exchange.heard(peerId("bob"), bytes)));
    for (let length = 0; length < frame!.length; length += 1) ann.exchange.heard(peerId("bob"), frame!.subarray(0, length));
    expect(ann.exchange.dropped).toBeGreaterThan(frame!.length - 1);
    expect(ann.told).toEqual([]);
  });

  test("is held up to a limit, the oldest going first", () => {
    const [ann, bob] = [new Peer("ann"), new Peer("bob")];
    for (let index = 1; index <= AHEAD_MAX + 1; index += 1) bob.says(index, 2, ann);
    ann.says(1, 1);
    expect(ann.told).toEqual([]);
    ann.says(2, 1);
    expect(ann.told).toMatchObject([{ index: 2 }]);
  });

  test("is compared for a limited number of peers, and as far back as own digests are held", () => {
    const ann = new Peer("ann");
    for (let index = 1; index <= OWN_DIGESTS_MAX + 1; index += 1) ann.says(index, 1);
    new Peer("bob").says(1, 2, ann);
    expect(ann.told).toEqual([]);
    new Peer("cat").says(2, 2, ann);
    expect(ann.told).toMatchObject([{ index: 2 }]);
    for (let at = 2; at < COMPARED_PEERS_MAX; at += 1) new Peer(`p${at}`).says(3, 1, ann);
    expect(ann.exchange.dropped).toBe(0);
    new Peer("one-more").says(3, 2, ann);
    expect([ann.exchange.dropped, ann.told.length]).toEqual([1, 1]);
  });
});

test("[GA77] the sequencer tells the digest after every so many commands, counted alike on every peer, also of what it replays", () => {
  const add: CounterAction = { type: "add", by: 1 };
  const heard: (readonly [string, number, string])[] = [];
  const listen = (who: string) => ({ digestEvery: 2, onDigest: ({ index, digest: of }: { readonly index: number; readonly digest: string }) => void heard.push([who, index, of]) });
  const first = openTable(counterRules, listen("first"));
  first.foreign(add);
  first.log.skip(3);
  first.foreign(add);
  first.foreign({ type: "add", by: 99 });
  first.foreign(add);
  const at = (index: number, sum: number, trail: string[]): readonly [number, string] => [index, stateDigest(first.game, { sum, trail })];
  const wanted = [at(5, 2, ["1+1", "1+1"]), at(7, 3, ["1+1", "1+1", "1+1"])];
  expect(heard).toEqual(wanted.map((each) => ["first", ...each]));
  openTable(counterRules, { log: first.log, ...listen("second") });
  expect(heard.slice(2)).toEqual(wanted.map((each) => ["second", ...each]));
});
