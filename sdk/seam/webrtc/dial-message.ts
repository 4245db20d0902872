// What two seams say to each other over signaling before they have a link.
import { ByteReader, ByteWriter, MalformedError } from "../../base/index.ts";
import { roleOf, type Negotiation } from "./link.ts";

/** History: 1, the first. Messages of another version are dropped and counted. */
export const DIAL_VERSION: number = 1;

/** An incarnation is this many hexadecimal digits, new for every seam. */
export const INCARNATION_CHARS: number = 16;

/**
 * `sealed`: bytes of the layers above that must arrive although there is no link any more; they carry their own proof of who sent them.
 * `greet`: "I am here, this is my incarnation; attempt `lost` (0: none) of yours is dead on my side". The peer with the lower
 * id answers by dialling, the one with the higher id by a greeting of its own.
 * `relay-only`: the same of a peer that can be linked to through a relay and in no other way.
 * `negotiate`: one step of an attempt. Attempts are numbered by the one who dials; `toIncarnation` is empty while unknown.
 */
export type DialMessage =
  | { readonly kind: "sealed"; readonly bytes: Uint8Array }
  | { readonly kind: "greet"; readonly incarnation: string; readonly lost: number }
  | { readonly kind: "relay-only"; readonly incarnation: string; readonly lost: number }
  | { readonly kind: "negotiate"; readonly incarnation: string; readonly toIncarnation: string; readonly attempt: number; readonly step: Negotiation };

const GREET = 0;
const OFFER = 1;
const ANSWER = 2;
const CANDIDATE = 3;
const SEALED = 4;
// From here on kinds that older peers drop, as they would have to: they know no relay.
const RELAY_ONLY = 5;
const RELAY_OFFER = 6;
const RELAY_ANSWER = 7;
/** Both parts of a relayed step are of fixed length. */
const RELAY_ADDRESS_BYTES = 16;
const RELAY_KEY_BYTES = 32;
/** Limit of a sealed message: a goodbye is under 300 bytes. */
export const SEALED_BYTES_MAX: number = 4096;
const KIND_OF_STEP = {
  description: { offer: OFFER, answer: ANSWER },
  relay: { offer: RELAY_OFFER, answer: RELAY_ANSWER },
  candidate: { offer: CANDIDATE, answer: CANDIDATE },
} as const;
const SDP_BYTES_MAX = 32 * 1024;
const CANDIDATE_BYTES_MAX = 2048;
const MID_BYTES_MAX = 64;

/** The bytes of a message. */
export function encodeDialMessage(message: DialMessage): Uint8Array {
  const writer = new ByteWriter().byte(DIAL_VERSION);
  if (message.kind === "sealed") return writer.byte(SEALED).bytes(message.bytes).finish();
  if (message.kind === "greet") return writer.byte(GREET).text(message.incarnation).uint(message.lost).finish();
  if (message.kind === "relay-only") return writer.byte(RELAY_ONLY).text(message.incarnation).uint(message.lost).finish();
  const { step } = message;
  writer.byte(KIND_OF_STEP[step.kind][roleOf(step) ?? "offer"]);
  writer.text(message.incarnation).text(message.toIncarnation).uint(message.attempt);
  if (step.kind === "relay") return writer.bytes(step.address).bytes(step.key).finish();
  if (step.kind === "description") return writer.text(step.sdp).finish();
  writer.text(step.candidate).bool(step.sdpMid !== null).text(step.sdpMid ?? "");
  return writer.bool(step.sdpMLineIndex !== null).uint(step.sdpMLineIndex ?? 0).finish();
}

/** The message of some bytes; throws `MalformedError` for anything else. */
export function decodeDialMessage(bytes: Uint8Array): DialMessage {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== DIAL_VERSION) throw new MalformedError(`dial version ${version}`);
  const message = decodeBody(reader.byte(), reader);
  reader.end();
  return message;
}

function decodeBody(kind: number, reader: ByteReader): DialMessage {
  if (kind === SEALED) return { kind: "sealed", bytes: readSealed(reader) };
  const incarnation = readIncarnation(reader);
  if (kind === RELAY_ONLY) return { kind: "relay-only", incarnation, lost: reader.uint() };
  if (kind === GREET) return { kind: "greet", incarnation, lost: reader.uint() };
  const toIncarnation = reader.text(INCARNATION_CHARS);
  const attempt = reader.uint();
  return { kind: "negotiate", incarnation, toIncarnation, attempt, step: readStep(kind, reader) };
}

function readSealed(reader: ByteReader): Uint8Array {
  const bytes = reader.bytes();
  if (bytes.length > SEALED_BYTES_MAX) throw new MalformedError(`a sealed message of ${bytes.length} bytes`);
  return bytes.slice();
}

function readStep(kind: number, reader: ByteReader): Negotiation {
  if (kind === OFFER || kind === ANSWER) return { kind: "description", type: kind === OFFER ? "offer" : "answer", sdp: reader.text(SDP_BYTES_MAX) };
  if (kind === RELAY_OFFER || kind === RELAY_ANSWER) {
    return { kind: "relay", type: kind === RELAY_OFFER ? "offer" : "answer", address: readExactly(reader, RELAY_ADDRESS_BYTES), key: readExactly(reader, RELAY_KEY_BYTES) };
  }
  if (kind !== CANDIDATE) throw new MalformedError(`dial message of unknown kind ${kind}`);
  const candidate = reader.text(CANDIDATE_BYTES_MAX);
  const hasMid = reader.bool();
  const mid = reader.text(MID_BYTES_MAX);
  const hasIndex = reader.bool();
  const index = reader.uint();
  return { kind: "candidate", candidate, sdpMid: hasMid ? mid : null, sdpMLineIndex: hasIndex ? index : null };
}

function readExactly(reader: ByteReader, length: number): Uint8Array {
  const bytes = reader.bytes(length);
  if (bytes.length !== length) throw new MalformedError(`${bytes.length} bytes where ${length} belong`);
  return bytes.slice();
}

/** Reads an incarnation; used by the greeting on the link as well. */
export function readIncarnation(reader: ByteReader): string {
  const incarnation = reader.text(INCARNATION_CHARS);
  if (!/^[0-9a-f]{16}$/.test(incarnation)) throw new MalformedError("not an incarnation");
  return incarnation;
}
