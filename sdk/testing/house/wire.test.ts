// The wire: what one version of the SDK says, another must understand or refuse by its version.
// A change of the messages or of their bytes is a new PROTOCOL_VERSION, a line in its history, and a file wire/version-<n>.txt of its own:
// npm run api writes it. Files of older versions stay as they are.
import { createHash } from "node:crypto";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { peerId, toHex } from "../../base/index.ts";
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Entry, type Membership, type Message } from "../../raft/index.ts";
import { treeOf } from "./program.ts";
import { filesUnder, textOf } from "./project.ts";

const membership: Membership = { voters: [peerId("a"), peerId("b")], votersOutgoing: [peerId("a")], learners: [peerId("c")], learnersNext: [] };
const entries: readonly Entry[] = [
  { index: 8, term: 3, kind: 0, time: 1_700_000_000_000, data: new Uint8Array(0) },
  { index: 9, term: 5, kind: 1, time: 1_700_000_000_123, data: Uint8Array.of(1, 2, 3) },
];

/** One message of every kind, every field with a value of its own. */
const examples: readonly Message[] = [
  { type: "pre-vote", term: 5, lastIndex: 300, lastTerm: 4 },
  { type: "pre-vote-reply", term: 5, granted: true },
  { type: "vote", term: 6, lastIndex: 300, lastTerm: 4, transfer: true },
  { type: "vote-reply", term: 6, granted: false },
  { type: "append", term: 5, prevIndex: 7, prevTerm: 2, commit: 6, entries },
  { type: "append-reply", term: 5, ok: false, index: 7, hintIndex: 4, hintTerm: 1 },
  { type: "heartbeat", term: 5, commit: 6, round: 21 },
  { type: "heartbeat-reply", term: 5, round: 21 },
  { type: "snapshot-chunk", term: 5, index: 7, indexTerm: 2, time: 1_700_000_000_000, membership, total: 9, digest: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), offset: 4, bytes: Uint8Array.of(9, 9) },
  { type: "snapshot-reply", term: 5, index: 7, offset: 6, installed: false },
  { type: "forward", term: 5, commands: [Uint8Array.of(1), Uint8Array.of(2, 3)] },
  { type: "forward-reply", term: 5, accepted: 1, refused: 2, reason: "busy" },
  { type: "read", term: 5, id: 17 },
  { type: "read-reply", term: 5, id: 17, ok: true, index: 9 },
  { type: "timeout-now", term: 5 },
  { type: "parting-grant", term: 5, lastIndex: 9, lastTerm: 5, commit: 8 },
];

/** The declarations a message is made of, without comments and layout. */
function definitions(): string {
  const printer = ts.createPrinter({ removeComments: true });
  const wanted = new Set(["EntryKind", "Entry", "Membership"]);
  return ["sdk/raft/message.ts", "sdk/raft/types.ts"].flatMap((path) => {
    const tree = treeOf(path, textOf(path));
    const declared = tree.statements.filter((statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement));
    return declared.filter((one) => path.endsWith("message.ts") || wanted.has(one.name.text)).map((one) => printer.printNode(ts.EmitHint.Unspecified, one, tree));
  }).join("\n");
}

const history = [.../^ \* - (\d+): \S/gm[Symbol.matchAll](textOf("sdk/raft/codec.ts"))].map((found) => Number(found[1]));

describe("protocol versions", () => {
  test("are numbered from 1 without gaps in the history, and the newest is the one spoken", () => {
    expect(history).toEqual(Array.from({ length: PROTOCOL_VERSION }, (_, at) => at + 1));
  });

  test("of the past still have their frames written down", () => {
    const kept = filesUnder("sdk/testing/house/wire");
    expect(history.filter((version) => version < PROTOCOL_VERSION).map((version) => `sdk/testing/house/wire/version-${version}.txt`).filter((path) => !kept.includes(path))).toEqual([]);
  });
});

test("the messages and the bytes of this version are the ones written down for it", async () => {
  const hash = createHash("sha256").update(definitions()).digest("hex");
  const frames = examples.map((message) => `${message.type} ${toHex(encodeMessage(message))}`);
  await expect(`definitions ${hash}\n${frames.join("\n")}\n`).toMatchFileSnapshot(`wire/version-${PROTOCOL_VERSION}.txt`);
});

test("every kind of message is among the examples and reads back as it was", () => {
  const kinds = [...textOf("sdk/raft/message.ts").matchAll(/readonly type: "([\w-]+)"/g)].map((found) => found[1]);
  expect(examples.map(({ type }) => type).sort()).toEqual([...new Set(kinds)].sort());
  expect(examples.map((message) => decodeMessage(encodeMessage(message)))).toEqual(examples);
});
