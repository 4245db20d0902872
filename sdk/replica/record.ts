// One stored record: a format version and a checksum in front of the bytes, so that damage is found before it is believed.
import { ByteReader, type ByteWriter } from "../base/index.ts";
import { CorruptStateError } from "../raft/index.ts";
import { crc32, crc32Text } from "./crc32.ts";

/** Version of every record this build writes. History: 1, the first one; 2, a Raft record begins with the number of its batch. */
const RECORD_VERSION = 2;
const HEADER_BYTES = 5;
/** The checksum of what every record's checksum begins with. */
const VERSION_SUM = crc32Text(`${RECORD_VERSION} `);

/** The bytes to store under `key`. The checksum covers key and version too: a record in the wrong place is damage as well. */
export function sealRecord(key: string, body: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + body.length);
  record.set(body, HEADER_BYTES);
  return sealed(key, record);
}

/** {@link sealRecord} of everything written, copied once; the writer is over. */
export function sealWritten(key: string, writer: ByteWriter): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + writer.length);
  writer.finishInto(record, HEADER_BYTES);
  return sealed(key, record);
}

/** Fills in the header in front of the body. */
function sealed(key: string, record: Uint8Array): Uint8Array {
  record[0] = RECORD_VERSION;
  const sum = checksum(key, record);
  record[1] = sum >>> 24;
  record[2] = sum >>> 16;
  record[3] = sum >>> 8;
  record[4] = sum;
  return record;
}

/** The body of a record, as a view. Throws `CorruptStateError` naming the key. */
export function openRecord(key: string, record: Uint8Array): Uint8Array {
  check(key, record);
  return record.subarray(HEADER_BYTES);
}

/** A reader of what {@link openRecord} returns, without a view of its own. */
export function readRecord(key: string, record: Uint8Array): ByteReader {
  check(key, record);
  return new ByteReader(record, HEADER_BYTES);
}

function check(key: string, record: Uint8Array): void {
  if (record.length < HEADER_BYTES) throw new CorruptStateError(key, `only ${record.length} bytes`);
  const version = record[0];
  if (version !== RECORD_VERSION) throw new CorruptStateError(key, `format version ${version}, this build reads ${RECORD_VERSION}`);
  const sum = (((record[1] ?? 0) << 24) | ((record[2] ?? 0) << 16) | ((record[3] ?? 0) << 8) | (record[4] ?? 0)) >>> 0;
  if (sum !== checksum(key, record)) throw new CorruptStateError(key, "its checksum does not fit");
}

function checksum(key: string, record: Uint8Array): number {
  return crc32(record, crc32Text(key, VERSION_SUM), HEADER_BYTES);
}
