// What travels on a feed: questions of a child, answers of its parent, and commands a child hands to the leader. Not part of Raft: nothing in here is a promise.
import { ByteReader, ByteWriter, digest64, isPeerId, MalformedError, type LogIndex, type PeerId, type Term } from "../base/index.ts";
import { readMembership, writeMembership, type Entry, type EntryKind, type Membership } from "../raft/index.ts";
import { HEADER_BYTES } from "./frame.ts";

/**
 * First byte of every feed message. History:
 * - 1: the first one.
 */
const FEED_VERSION = 1;
/** Entries in one answer at most. */
export const FEED_ENTRIES_MAX = 256;
/** Parents above one at most; a longer way is refused. With a fan-out of 8 nobody is ever this deep who was led down from the top. */
export const FEED_DEPTH_MAX = 12;
const PEERS_MAX = 8;
const COMMANDS_MAX = 4096;
const DIGEST_BYTES = 8;
const PEER_BYTES_MAX = 512;

/** What comes after `next - 1`, please; held until there is something. One is open at a time. */
export interface FeedAsk {
  readonly type: "ask";
  /** Echoed in the answer; rises by one with every question. */
  readonly seq: number;
  readonly next: LogIndex;
  /** Term of the entry at `next - 1`; 0 where `next` is 1. */
  readonly prevTerm: Term;
  /** A snapshot that is being fetched and how much of it is here; 0 and 0 when none is. */
  readonly snapshot: LogIndex;
  readonly offset: number;
  /** The stamp of the parent's way that this child knows; 0: none. */
  readonly way: number;
  /** How many this child was sent to in vain since it was fed last. */
  readonly tries: number;
}

/** The parents above the answering one, nearest to the members first, and a number that changes with them. */
export interface FeedWay {
  readonly stamp: number;
  readonly above: readonly PeerId[];
}

/** Committed entries, or none to show that the parent lives. */
export interface FeedEntries {
  readonly type: "entries";
  readonly seq: number;
  /** How far the parent is. */
  readonly commit: LogIndex;
  readonly entries: readonly Entry[];
  /** Left out while the child knows it. */
  readonly way: FeedWay | undefined;
}

/** A part of the parent's snapshot, where the entries asked for are gone. */
export interface FeedChunk {
  readonly type: "chunk";
  readonly seq: number;
  readonly index: LogIndex;
  readonly term: Term;
  readonly time: number;
  readonly membership: Membership;
  readonly total: number;
  readonly digest: Uint8Array;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Not here: ask one of these, or the leader again when there is none. */
export interface FeedElsewhere {
  readonly type: "elsewhere";
  readonly seq: number;
  readonly to: readonly PeerId[];
}

/** The child's entry at `next - 1` is not the parent's: one of the two was shown something false. */
export interface FeedDiffers {
  readonly type: "differs";
  readonly seq: number;
}

/** From a leader, or from one's own parent: this peer may be fed. */
export interface FeedLeave {
  readonly type: "leave";
  readonly peer: PeerId;
}

/** Commands of the sender for the leader's log. */
export interface FeedSubmit {
  readonly type: "submit";
  readonly commands: readonly Uint8Array[];
}

/** Asks the leader for a linearizable read point. */
export interface FeedRead {
  readonly type: "read";
  /** The asker's; echoed. */
  readonly id: number;
}

/** `index` 0: it could not be confirmed. */
export interface FeedReadReply {
  readonly type: "read-reply";
  readonly id: number;
  readonly index: LogIndex;
}

/** Asks anybody to compare what it holds: the committed entries from `from` to `through`, and the states after them. */
export interface FeedCheckAsk {
  readonly type: "check";
  /** The asker's; echoed. */
  readonly id: number;
  readonly from: LogIndex;
  readonly through: LogIndex;
}

/** Digests of what the answering one holds; empty where it holds that not, or not any more. */
export interface FeedChecked {
  readonly type: "checked";
  readonly id: number;
  /** How far it is. */
  readonly applied: LogIndex;
  readonly entries: Uint8Array;
  readonly state: Uint8Array;
}

/** Everything said on a feed. */
export type FeedMessage = FeedAsk | FeedEntries | FeedChunk | FeedElsewhere | FeedDiffers | FeedLeave | FeedSubmit | FeedRead | FeedReadReply | FeedCheckAsk | FeedChecked;

const TYPES = ["ask", "entries", "chunk", "elsewhere", "differs", "leave", "submit", "read", "read-reply", "check", "checked"] as const;

/** The message in a frame of this group. */
export function encodeFeedFrame(header: Uint8Array, message: FeedMessage): Uint8Array {
  const writer = new ByteWriter().raw(header).byte(FEED_VERSION).byte(TYPES.indexOf(message.type));
  switch (message.type) {
    case "ask":
      writer.uint(message.seq).uint(message.next).uint(message.prevTerm).uint(message.snapshot).uint(message.offset).uint(message.way).uint(message.tries);
      break;
    case "entries":
      writeEntries(writer.uint(message.seq).uint(message.commit), message.entries);
      writer.bool(message.way !== undefined);
      if (message.way !== undefined) writer.uint(message.way.stamp).list(message.way.above, (peer) => writer.text(peer));
      break;
    case "chunk":
      writer.uint(message.seq).uint(message.index).uint(message.term).uint(message.time);
      writeMembership(writer, message.membership);
      writer.uint(message.total).raw(message.digest).uint(message.offset).bytes(message.bytes);
      break;
    case "elsewhere":
      writer.uint(message.seq).list(message.to, (peer) => writer.text(peer));
      break;
    case "differs":
      writer.uint(message.seq);
      break;
    case "leave":
      writer.text(message.peer);
      break;
    case "submit":
      writer.list(message.commands, (command) => writer.bytes(command));
      break;
    case "read":
      writer.uint(message.id);
      break;
    case "read-reply":
      writer.uint(message.id).uint(message.index);
      break;
    case "check":
      writer.uint(message.id).uint(message.from).uint(message.through);
      break;
    case "checked":
      writer.uint(message.id).uint(message.applied).bytes(message.entries).bytes(message.state);
      break;
  }
  return writer.finish();
}

/** The message of a frame whose header was found good. Throws `MalformedError`. Bytes in it are views. */
export function decodeFeedFrame(frame: Uint8Array): FeedMessage {
  const reader = new ByteReader(frame, HEADER_BYTES);
  if (reader.byte() !== FEED_VERSION) throw new MalformedError("a feed of another version");
  const message = readMessage(reader);
  reader.end();
  return message;
}

function readMessage(reader: ByteReader): FeedMessage {
  const type = TYPES[reader.byte()];
  switch (type) {
    case "ask":
      return { type, seq: reader.uint(), next: reader.uint(), prevTerm: reader.uint(), snapshot: reader.uint(), offset: reader.uint(), way: reader.uint(), tries: reader.uint() };
    case "entries":
      return { type, seq: reader.uint(), commit: reader.uint(), entries: readEntries(reader), way: reader.bool() ? { stamp: reader.uint(), above: readPeers(reader, FEED_DEPTH_MAX) } : undefined };
    case "chunk":
      return {
        type, seq: reader.uint(), index: reader.uint(), term: reader.uint(), time: reader.uint(), membership: readMembership(reader),
        total: reader.uint(), digest: reader.raw(DIGEST_BYTES), offset: reader.uint(), bytes: reader.bytes(),
      };
    case "elsewhere":
      return { type, seq: reader.uint(), to: readPeers(reader, PEERS_MAX) };
    case "differs":
      return { type, seq: reader.uint() };
    case "leave":
      return { type, peer: readPeer(reader) };
    case "submit":
      return { type, commands: reader.list(() => reader.bytes(), COMMANDS_MAX) };
    case "read":
      return { type, id: reader.uint() };
    case "read-reply":
      return { type, id: reader.uint(), index: reader.uint() };
    case "check":
      return { type, id: reader.uint(), from: reader.uint(), through: reader.uint() };
    case "checked":
      return { type, id: reader.uint(), applied: reader.uint(), entries: readDigest(reader), state: readDigest(reader) };
    case undefined:
    default:
      throw new MalformedError("unknown feed message");
  }
}

/** A digest over entries that follow each other, with their terms, kinds and times. */
export function digestOfEntries(entries: readonly Entry[]): Uint8Array {
  const writer = new ByteWriter();
  writeEntries(writer, entries);
  return digest64(writer.finish());
}

/** Terms and times never fall along a log, so each is written as what it adds. */
function writeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  writer.uint(entries[0]?.index ?? 0);
  let term = 0;
  let time = 0;
  writer.list(entries, (entry) => {
    writer.uint(entry.term - term).byte(entry.kind).uint(entry.time - time).bytes(entry.data);
    ({ term, time } = entry);
  });
}

function readEntries(reader: ByteReader): Entry[] {
  let index = reader.uint();
  let term = 0;
  let time = 0;
  return reader.list((): Entry => {
    term += reader.uint();
    const kind = readKind(reader);
    time += reader.uint();
    const entry: Entry = { index, term, kind, time, data: reader.bytes() };
    index += 1;
    if (!Number.isSafeInteger(index) || !Number.isSafeInteger(term) || !Number.isSafeInteger(time)) throw new MalformedError("an entry beyond every log");
    return entry;
  }, FEED_ENTRIES_MAX);
}

function readKind(reader: ByteReader): EntryKind {
  const kind = reader.byte();
  if (kind !== 0 && kind !== 1 && kind !== 2) throw new MalformedError(`entry kind ${kind}`);
  return kind;
}

/** A digest, or nothing. */
function readDigest(reader: ByteReader): Uint8Array {
  const digest = reader.bytes();
  if (digest.length !== 0 && digest.length !== DIGEST_BYTES) throw new MalformedError(`a digest of ${digest.length} bytes`);
  return digest;
}

function readPeers(reader: ByteReader, max: number): PeerId[] {
  return reader.list(() => readPeer(reader), max);
}

function readPeer(reader: ByteReader): PeerId {
  const text = reader.text(PEER_BYTES_MAX);
  if (!isPeerId(text)) throw new MalformedError("not a peer id");
  return text;
}
