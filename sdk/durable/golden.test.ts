// Labels, tokens and signatures people store or compare across versions, and what fences look like in logs and stores: pinned.
import { expect, test } from "vitest";
import { jsonCodec, toHex } from "../base/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { backendLabel, journalOnly, snapshotJournal, snapshotOnly } from "./backend.ts";
import { DurableSession } from "./durable-session.ts";
import { encodeFence, expectedToken, fenceFor, fenceLabel, fenceSignature } from "./fence.ts";
import { encodeClaim, FENCE_LANE, fenceLane } from "./log-fence.ts";

/** Never edit a value here: a change means that what people stored no longer compares. */
const golden = {
  backendLabels: ["snapshot-only/4", "journal-only", "snapshot-journal/8"],
  claimBytes: "076d617463682f31170103616e6e031036653935636337353936653566393866",
  fenceBytes: "0103616e6e031036653935636337353936653566393866",
  fenceLabel: "ann@3",
  fenceLane: 3,
  fenceSection: "01076d617463682f31170103616e6e031036653935636337353936653566393866",
  fenceSignature: "10e334bb7c5925ec",
  journalLabels: ["reconnected#1", "delta#2", "crash-marked#3", "restarted#4"],
  otherToken: "4cef2f1e1410bc71",
  sessionLabel: "match/1 ann@3 snapshot-journal/8 rehydrate disconnected #1",
  sessionSignature: "6ee737cf94aad379",
  token: "6e95cc7596e5f98f",
};

test("[DU10] tokens, labels, signatures and the bytes of fences are the golden ones", async () => {
  const store = new MemoryByteStore();
  const session = await DurableSession.open({ sessionId: "match/1", backend: snapshotJournal(store, store, 8), policy: "rehydrate", fence: fenceFor("match/1", "ann", 3), initial: 0, apply: (a: number, b: number) => a + b, states: jsonCodec<number>(), deltas: jsonCodec<number>() });
  await session.start("wss://one");
  await session.append(41);
  await session.crash(0);
  await session.restart();
  const now = {
    token: expectedToken("match/1", "ann", 3),
    otherToken: expectedToken("", "\u{1F600}", Number.MAX_SAFE_INTEGER),
    fenceBytes: toHex(encodeFence(fenceFor("match/1", "ann", 3))),
    claimBytes: toHex(encodeClaim("match/1", fenceFor("match/1", "ann", 3))),
    fenceLane: FENCE_LANE,
    fenceSection: toHex(fenceLane.encode(new Map([["match/1", fenceFor("match/1", "ann", 3)]]))),
    fenceLabel: fenceLabel(fenceFor("match/1", "ann", 3)),
    fenceSignature: fenceSignature("match/1", fenceFor("match/1", "ann", 3)),
    backendLabels: [snapshotOnly(store, 4), journalOnly(store), snapshotJournal(store, store, 8)].map(backendLabel),
    sessionLabel: session.label(),
    sessionSignature: session.signature(),
    journalLabels: session.journalLabels(),
  };
  expect(now).toEqual(golden);
});
