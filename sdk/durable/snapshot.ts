// One checksummed record that holds a whole state and where in the journal it was taken.
import { ByteReader, ByteWriter, bytesEqual, digest64, MalformedError } from "../base/index.ts";
import { DurableCorruptError } from "./errors.ts";

/** A state and its place. */
export interface StateImage {
  /** Deltas applied. */
  readonly position: number;
  /** Last journal entry covered. */
  readonly sequence: number;
  readonly epoch: number;
  /** Where the client was connected when it was taken. */
  readonly route: string;
  readonly state: Uint8Array;
}

const RECORD_VERSION = 1;

/** Key of a session's snapshot. */
export function snapshotKey(sessionId: string): string {
  return `snapshot/${sessionId}`;
}

/** Bytes of a snapshot record: checksum, version, fields. */
export function encodeStateImage(image: StateImage): Uint8Array {
  const body = new ByteWriter().byte(RECORD_VERSION).uint(image.position).uint(image.sequence).uint(image.epoch).text(image.route).bytes(image.state).finish();
  return new ByteWriter().raw(digest64(body)).raw(body).finish();
}

/** Reads a snapshot record. Throws `DurableCorruptError` naming `key`. */
export function decodeStateImage(key: string, record: Uint8Array): StateImage {
  try {
    const outer = new ByteReader(record);
    const sum = outer.raw(8);
    const body = outer.raw(outer.remaining);
    if (!bytesEqual(sum, digest64(body))) throw new MalformedError("the checksum does not fit");
    const reader = new ByteReader(body);
    const version = reader.byte();
    if (version !== RECORD_VERSION) throw new MalformedError(`a snapshot of version ${version} where ${RECORD_VERSION} is known`);
    const image = { position: reader.uint(), sequence: reader.uint(), epoch: reader.uint(), route: reader.text(), state: reader.bytes() };
    reader.end();
    return image;
  } catch (cause) {
    throw new DurableCorruptError(key, "does not read back as a snapshot", { cause });
  }
}
