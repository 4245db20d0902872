// The words everyone uses.
export { assert, AssertionError, unreachable } from "./assert.ts";
export { isPeerId, PEER_ID_CHARS_MAX, peerId, type Brand, type LogIndex, type PeerId, type Term } from "./brand.ts";
export { bytesEqual, concatBytes, fromHex, fromUtf8, NO_BYTES, toHex, utf8 } from "./bytes.ts";
export type { Clock } from "./clock.ts";
export { ByteReader, ByteWriter, jsonCodec, type Codec } from "./codec.ts";
export { ClosedError, hasCode, InvalidArgumentError, MalformedError, PayloadTooLargeError, SdkError } from "./errors.ts";
export { authCode, digest, digest64, digestHex } from "./hash.ts";
export { silentLogger, type Logger } from "./log.ts";
export { LoggedClock, type LoggedClockOptions } from "./logged-clock.ts";
export { below, fraction, seededRandom, type Random } from "./random.ts";
