// One stored record: a format version and a checksum in front of the bytes, so that damage is found before it is believed.
import { utf8, type ByteWriter } from "../base/index.ts";
import { CorruptStateError } from "../raft/index.ts";
import { crc32 } from "./crc32.ts";

/** Version of every record this build writes. History: 1, the first one; 2, a Raft record begins with the number of its batch. */
const RECORD_VERSION = 2;
const HEADER_BYTES = 5;

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
  const sum = checksum(key, record.subarray(HEADER_BYTES));
  for (let at = 0; at < 4; at += 1) record[1 + at] = sum >>> (24 - 8 * at);
  return record;
}

/** The body of a record, as a view. Throws `CorruptStateError` naming the key. */
export function openRecord(key: string, record: Uint8Array): Uint8Array {
  if (record.length < HEADER_BYTES) throw new CorruptStateError(key, `only ${record.length} bytes`);
  const version = record[0];
  if (version !== RECORD_VERSION) throw new CorruptStateError(key, `format version ${version}, this build reads ${RECORD_VERSION}`);
  const body = record.subarray(HEADER_BYTES);
  if (new DataView(record.buffer, record.byteOffset).getUint32(1) !== checksum(key, body)) throw new CorruptStateError(key, "its checksum does not fit");
  return body;
}

function checksum(key: string, body: Uint8Array): number {
  return crc32(body, crc32(utf8(`${RECORD_VERSION} ${key}`)));
}
