// Expected failures. Identity is `name` and `code`, never instanceof: the script-tag copy and the ESM copy of the SDK can meet on one page.

/**
 * The base of every error the SDK throws on purpose. `code` is a stable kebab-case word to switch on;
 * `message` is for people and says what to do next where there is something to do.
 */
export class SdkError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = "SdkError";
  }
}

/** An option or argument has a value that can never work. `code` is `invalid-argument`; the message names both operands. */
export class InvalidArgumentError extends SdkError {
  constructor(message: string) {
    super("invalid-argument", message);
    this.name = "InvalidArgumentError";
  }
}

/** The object was closed before or while the call ran. `code` is `closed`. Nothing was left half done. */
export class ClosedError extends SdkError {
  constructor(what: string, options?: { readonly cause?: unknown }) {
    super("closed", `${what} is closed`, options);
    this.name = "ClosedError";
  }
}

/** A payload is larger than the limit it must respect. `code` is `payload-too-large`; both sizes are in bytes. */
export class PayloadTooLargeError extends SdkError {
  readonly actualBytes: number;
  readonly maxBytes: number;

  constructor(actualBytes: number, maxBytes: number, what = "payload") {
    super("payload-too-large", `${what} of ${actualBytes} bytes is larger than the limit of ${maxBytes} bytes`);
    this.name = "PayloadTooLargeError";
    this.actualBytes = actualBytes;
    this.maxBytes = maxBytes;
  }
}

/** Bytes that do not follow their format. `code` is `malformed`. Thrown by decoders; receivers of remote bytes catch it, drop and count. */
export class MalformedError extends SdkError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("malformed", message, options);
    this.name = "MalformedError";
  }
}

/** True when `error` is an {@link SdkError} (from any copy of the SDK) with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
