// Signaling by hand: the strings, what may be wrong with one, and the signaling contract over links of a pretended kind. Real ones: manual-signaling.browser.test.ts.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { combineSignaling } from "./combined-signaling.ts";
import { descriptionOf, MANUAL_CANDIDATES_MAX, readDescription, sdpOf, writeDescription, type ManualDescription } from "./manual-description.ts";
import type { ManualLink, ManualLinkFactory, ManualLinkListener } from "./manual-link.ts";
import { ManualSignaling } from "./manual-signaling.ts";
import { manualSecret, readManualString, writeManualString } from "./manual-string.ts";
import { encodeSignalingFrame } from "./signaling-frame.ts";
import { signalingContract, type SignalingHarness } from "./signaling.contract.ts";
import type { Signaling } from "./signaling.ts";

const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done, 1));
const [ann, bob] = ["ann", "bob"].map((name) => peerId(name)) as [PeerId, PeerId];
let seed = 1;

/** Links that find each other by the words of their descriptions. */
class Air {
  readonly ends = new Map<string, End>();
  readonly open: ManualLinkFactory = (_, listener) => new End(this, listener);
}

class End implements ManualLink {
  readonly #air: Air;
  readonly #name = `end${(seed += 1)}`;
  readonly listener: ManualLinkListener;
  other: End | undefined;
  isOpen = false;
  isClosed = false;

  constructor(air: Air, listener: ManualLinkListener) {
    this.#air = air;
    this.listener = listener;
    air.ends.set(this.#name, this);
  }

  async offer(): Promise<ManualDescription> {
    return { ufrag: this.#name, password: "p".repeat(24), fingerprint: new Uint8Array(32), candidates: [{ address: "192.168.1.20", port: 50_000, kind: "host" }] };
  }

  async answer(offer: ManualDescription): Promise<ManualDescription> {
    this.other = this.#air.ends.get(offer.ufrag);
    return this.offer();
  }

  async accept(answer: ManualDescription): Promise<void> {
    const other = this.#air.ends.get(answer.ufrag);
    if (other === undefined || other.isClosed || other.other !== this) return;
    this.other = other;
    for (const end of [this, other]) {
      end.isOpen = true;
      queueMicrotask(() => end.listener.opened());
    }
  }

  send(bytes: Uint8Array): void {
    const { other } = this;
    const copy = bytes.slice();
    queueMicrotask(() => void (other?.isClosed === false && other.listener.received(copy)));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { other } = this;
    queueMicrotask(() => {
      if (other === undefined || other.isClosed || !other.isOpen) return;
      other.isClosed = true;
      other.listener.lost(new Error("gone"));
    });
  }
}

function make(air: Air): ManualSignaling {
  return new ManualSignaling({ clock: new VirtualClock(), random: seededRandom((seed += 1)), iceServers: [], openLink: air.open });
}

async function pair(air = new Air(), secret = "a secret"): Promise<{ readonly one: ManualSignaling; readonly two: ManualSignaling; readonly invitation: string; readonly reply: string }> {
  const [one, two] = [make(air), make(air)];
  const invitation = await one.invite(secret);
  const reply = await two.reply(invitation, secret);
  await one.accept(reply);
  await two.linked();
  return { one, two, invitation, reply };
}

/** Every two of three people are linked by hand; each one's channels are used as one. */
function harness(): SignalingHarness {
  const names = ["ann", "bob", "cem"];
  const rooms = new Map<string, Map<string, ManualSignaling[]>>();
  const openRoom = async (): Promise<Map<string, ManualSignaling[]>> => {
    const ends = new Map(names.map((name): [string, ManualSignaling[]] => [name, []]));
    for (const [left, right] of [["ann", "bob"], ["ann", "cem"], ["bob", "cem"]] as const) {
      const { one, two } = await pair();
      ends.get(left)?.push(one);
      ends.get(right)?.push(two);
    }
    return ends;
  };
  const opening = new Map<string, Promise<Map<string, ManualSignaling[]>>>();
  return {
    join: async (room, selfId): Promise<Signaling> => {
      const ends = rooms.get(room) ?? (await (opening.get(room) ?? opening.set(room, openRoom()).get(room)));
      const [first, second] = (ends?.get(selfId) ?? []).map(({ factory }) => factory({ selfId, room }));
      if (first === undefined || second === undefined) throw new Error(`${selfId} is nobody here`);
      return combineSignaling([first, second]);
    },
    turn: nextTask,
  };
}

describeContract("ManualSignaling keeps the signaling contract, by hand between each two of three", signalingContract, harness());

const codeOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => "ok", (error: { readonly code?: string; readonly message: string }) => error.code ?? error.message);

describe("[MN1] one string out and one string back", () => {
  test("link two people, whoever of them was there first", async () => {
    const air = new Air();
    const [one, two] = [make(air), make(air)];
    const statuses: string[] = [];
    const mine = one.factory({ selfId: ann, room: "r" });
    mine.on("status", (status) => void statuses.push(status));
    const met: PeerId[] = [];
    mine.on("announced", (peer) => void met.push(peer));
    mine.announce();
    const reply = await two.reply(await one.invite("s"), "s");
    const theirs = two.factory({ selfId: bob, room: "r" });
    const early: string[] = [];
    theirs.on("status", (status) => void early.push(status));
    const heard: PeerId[] = [];
    theirs.on("announced", (peer) => void heard.push(peer));
    await nextTask();
    expect([statuses, early]).toEqual([["up"], ["down"]]);
    await one.accept(reply);
    await two.linked();
    await nextTask();
    theirs.announce();
    await nextTask();
    expect([one.isLinked, two.isLinked, early, new Set(heard), met]).toEqual([true, true, ["down", "up"], new Set([ann]), [bob]]);
    const left: PeerId[] = [];
    mine.on("left", (peer) => void left.push(peer));
    await theirs.close();
    await nextTask();
    expect([left, statuses.at(-1), one.isLinked]).toEqual([[bob], "failed", false]);
    await expect(one.linked()).rejects.toThrow("gone");
  });

  test("and again, when the link has ended", async () => {
    const air = new Air();
    const { one, two } = await pair(air);
    await expect(one.invite("a secret")).rejects.toMatchObject({ code: "invalid-argument" });
    two.close();
    await nextTask();
    const next = make(air);
    await one.accept(await next.reply(await one.invite("a secret"), "a secret"));
    expect(one.isLinked).toBe(true);
    await expect(two.invite("a secret")).rejects.toMatchObject({ code: "closed" });
  });

  test("the way between is forgiving: small letters, spaces, line breaks, and letters one takes for digits", async () => {
    const air = new Air();
    const [one, two] = [make(air), make(air)];
    const invitation = await one.invite("s");
    expect(invitation).toMatch(/^[0-9A-HJKMNP-TV-Z]+$/u);
    const typed = (invitation.toLowerCase().match(/.{1,7}/gu) ?? []).join(" \n").replaceAll("0", "o").replaceAll("1", "l");
    const reply = await two.reply(typed, "s");
    await one.accept(` ${reply}\n`);
    expect(one.isLinked).toBe(true);
  });
});

describe("[MN2] a string that can not be used is refused for its reason, and nothing changes", () => {
  test("damaged, of another room, misplaced, used", async () => {
    const air = new Air();
    const [one, two, third] = [make(air), make(air), make(air)];
    const first = await one.invite("s");
    const invitation = await one.invite("s");
    const reply = await two.reply(invitation, "s");
    const other = await third.invite("s");
    const foreign = await make(air).reply(other, "s");
    const swapped = `${reply.slice(0, 40)}${reply[40] === "A" ? "B" : "A"}${reply.slice(41)}`;
    const outcomes = [
      one.accept(reply.slice(0, -1)), one.accept(reply.slice(1)), one.accept(""), one.accept("hello!"), one.accept(swapped), one.accept("A".repeat(10_000)),
      one.accept(await make(air).reply(await third.invite("another"), "another")), two.reply(invitation, "another"),
      one.accept(invitation), two.reply(reply, "s"), one.reply(invitation, "s"), one.accept(foreign),
      two.reply(invitation, "s"), one.accept(await make(air).reply(first, "s")),
    ];
    expect(await Promise.all(outcomes.map(codeOf))).toEqual([
      ...Array(6).fill("string-damaged"), "string-of-another-room", "string-of-another-room",
      ...Array(4).fill("string-misplaced"), "string-used", "string-used",
    ]);
    await one.accept(reply);
    expect(one.isLinked).toBe(true);
    expect(await codeOf(one.accept(reply))).toBe("string-used");
    expect(await codeOf(make(air).accept(reply))).toBe("invalid-argument");
  });

  test("whatever is pasted, it is refused by name", async () => {
    const [secret, random] = [manualSecret("s"), seededRandom(7)];
    const good = await make(new Air()).invite("s");
    fc.assert(fc.property(fc.oneof(fc.string(), fc.tuple(fc.nat(good.length - 1), fc.constantFrom(...Array.from("0123456789ABCDEFGHJKMNPQRSTVWXYZ-!"))).map(([at, letter]) => good.slice(0, at) + letter + good.slice(at + 1))), (text) => {
      try {
        expect(readManualString(text, secret)).toEqual(readManualString(good, secret));
      } catch (error) {
        expect(error).toMatchObject({ name: "ManualStringError" });
      }
    }), { numRuns: 1_000 });
    // Sealed rightly, and nonsense inside.
    expect(() => readManualString(writeManualString({ kind: "reply", id: new Uint8Array(8), description: { ufrag: "a b", password: "p".repeat(24), fingerprint: new Uint8Array(32), candidates: [] } }, secret, random), secret)).toThrow(/no sense/);
  });
});

describe("[MN3] the signal", () => {
  test("ends a step with its reason, and what stood before it stands", async () => {
    const air = new Air();
    const [one, two] = [make(air), make(air)];
    const invitation = await one.invite("s");
    const abort = new AbortController();
    const again = one.invite("s", { signal: abort.signal });
    abort.abort(new Error("changed my mind"));
    await expect(again).rejects.toThrow("changed my mind");
    await expect(two.reply(invitation, "s", { signal: abort.signal })).rejects.toThrow("changed my mind");
    const waiting = new AbortController();
    const reply = await two.reply(invitation, "s");
    const linked = two.linked({ signal: waiting.signal });
    waiting.abort(new Error("not now"));
    await expect(linked).rejects.toThrow("not now");
    await one.accept(reply);
    await two.linked();
  });

  test("[MN3] ends the link of a reply the browser does not take, for everybody who waits for it, and lets invite again", async () => {
    const air = new Air();
    let isRefusing = true;
    const one = new ManualSignaling({ clock: new VirtualClock(), random: seededRandom((seed += 1)), iceServers: [], openLink: (options, listener) => {
      const end = air.open(options, listener) as End;
      const accept = end.accept.bind(end);
      end.accept = (answer) => (isRefusing ? Promise.reject(new Error("no such description")) : accept(answer));
      return end;
    } });
    const two = make(air);
    const invitation = await one.invite("s");
    const linked = one.linked();
    linked.catch(() => {});
    await expect(one.accept(await two.reply(invitation, "s"))).rejects.toThrow("no such description");
    await expect(linked).rejects.toThrow("no such description");
    expect([one.isLinked, [...air.ends.values()][0]?.isClosed]).toEqual([false, true]);
    isRefusing = false;
    await one.accept(await two.reply(await one.invite("s"), "s"));
    expect(one.isLinked).toBe(true);
  });

  test("ends the link of an acceptance that is given up", async () => {
    const air = new Air();
    const [one, two] = [make(air), make(air)];
    const reply = await two.reply(await one.invite("s"), "s");
    two.close();
    const abort = new AbortController();
    const accepting = one.accept(reply, { signal: abort.signal });
    await nextTask();
    abort.abort(new Error("too long"));
    await expect(accepting).rejects.toThrow("too long");
    await expect(one.linked()).rejects.toThrow("too long");
    expect(one.isLinked).toBe(false);
    await one.invite("s");
  });
});

describe("[MN4] what a string holds", () => {
  const description: ManualDescription = {
    ufrag: "aB3+", password: "0123456789abcdefABCDEF+/", fingerprint: Uint8Array.from({ length: 32 }, (_, at) => at * 7),
    candidates: [
      { address: "192.168.1.20", port: 50_001, kind: "host" }, { address: "0b0c1d2e-3f40-4152-8364-75868798a9ba.local", port: 9, kind: "host" },
      { address: "2001:db8:0:0:0:0:0:1", port: 65_535, kind: "srflx" }, { address: "203.0.113.7", port: 1, kind: "relay" }, { address: "turn.example.org", port: 443, kind: "relay" },
    ],
  };

  test("survives being written, and being made an SDP of", () => {
    const writer = new ByteWriter();
    writeDescription(writer, description);
    expect(readDescription(new ByteReader(writer.finish()))).toEqual(description);
    for (const role of ["invites", "replies"] as const) {
      const sdp = sdpOf(description, role);
      expect(descriptionOf(sdp)).toEqual(description);
      expect(sdp).toContain(`a=setup:${role === "invites" ? "actpass" : "active"}`);
    }
    const short = { ...description, candidates: [{ address: "2001:db8::1", port: 5, kind: "host" as const }] };
    const again = new ByteWriter();
    writeDescription(again, short);
    expect(readDescription(new ByteReader(again.finish())).candidates[0]?.address).toBe("2001:db8:0:0:0:0:0:1");
  });

  test("is of UDP alone, of each kind of way some, and small enough for a QR code", () => {
    const host = (at: number): string => `a=candidate:${at} 1 udp 2113937151 10.0.0.${at} 5000 typ host generation 0 network-cost 999`;
    const sdp = [...sdpOf({ ...description, candidates: [] }, "invites").split("\r\n"), ...Array.from({ length: 20 }, (_, at) => host(at)), "a=candidate:9 1 tcp 1518280447 10.0.0.9 9 typ host tcptype active", "a=candidate:8 1 udp 1677729535 203.0.113.7 61000 typ srflx raddr 0.0.0.0 rport 0 generation 0"].join("\r\n");
    const { candidates } = descriptionOf(sdp);
    expect([candidates.length, candidates.at(-1)?.kind, candidates.every(({ port }) => port !== 9)]).toEqual([MANUAL_CANDIDATES_MAX, "srflx", true]);
    const text = writeManualString({ kind: "invitation", id: new Uint8Array(8), description: descriptionOf(sdp) }, manualSecret("s"), seededRandom(1));
    // 535 characters of this kind are what a QR code of version 14 takes with correction level M.
    expect(text.length).toBeLessThan(400);
  });

  test("can not smuggle lines into an SDP, and is of a SHA-256 certificate", () => {
    for (const bad of [{ ufrag: "a\r\nb" }, { password: "x" }, { candidates: [{ address: "1.2.3.4\r\na=x", port: 5, kind: "host" as const }] }, { candidates: [{ address: "1.2.3.4", port: 0, kind: "host" as const }] }]) {
      const writer = new ByteWriter();
      writeDescription(writer, { ...description, ...bad });
      expect(() => readDescription(new ByteReader(writer.finish()))).toThrow(/not the description/);
    }
    expect(() => descriptionOf(sdpOf(description, "invites").replace("sha-256", "sha-1"))).toThrow(/SHA-256/);
  });

  test("tells nothing to who lacks the secret, and two strings of one description look different", () => {
    const random = seededRandom(3);
    const word = { kind: "invitation" as const, id: new Uint8Array(8), description };
    const [a, b] = [writeManualString(word, manualSecret("s"), random), writeManualString(word, manualSecret("s"), random)];
    expect(a.slice(10)).not.toBe(b.slice(10));
    expect(() => readManualString(a, { ...manualSecret("other"), tag: manualSecret("s").tag })).toThrow(/changed on its way/);
  });
});

test("[MN5] bytes on the link that are no signaling frame are dropped and counted, and others stand in nobody's way", async () => {
  const air = new Air();
  const { one } = await pair(air);
  const mine = one.factory({ selfId: ann, room: "r" });
  const end = [...air.ends.values()].find(({ listener, other }) => other !== undefined && listener !== undefined && !other.isClosed)!;
  for (const both of [end, end.other!]) both.listener.received(utf8("rubbish"));
  expect((mine as unknown as { readonly malformedDropped: number }).malformedDropped).toBe(1);
});

test("[MN5] however many peers the other end says it is, a bounded number of them is remembered", async () => {
  const air = new Air();
  const { one } = await pair(air);
  const mine = one.factory({ selfId: ann, room: "r" });
  const end = [...air.ends.values()].find(({ other, listener }) => other !== undefined && listener !== undefined && !other.isClosed)!;
  const gone: PeerId[] = [];
  mine.on("left", (peer) => void gone.push(peer));
  for (let at = 0; at < 100; at += 1) for (const both of [end, end.other!]) both.listener.received(encodeSignalingFrame({ kind: "announce", from: peerId(`p${at}`), to: undefined }));
  for (const both of [end, end.other!]) both.listener.lost(new Error("lost"));
  expect([gone.length, gone.at(-1)]).toEqual([16, peerId("p99")]);
});
