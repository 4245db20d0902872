// What the machine refuses at construction. Nothing remote ever leads to an error: it is dropped and counted.
import { SdkError } from "../base/index.ts";

/**
 * What was read back from storage can not have been written by this code: starting from it could break promises made to others.
 * `code` is `corrupt-state`; `record` names the broken record (`hard-state`, `snapshot`, `entry 17`). The node must not start;
 * rejoin under a new identity instead.
 */
export class CorruptStateError extends SdkError {
  readonly record: string;

  constructor(record: string, why: string, options?: { readonly cause?: unknown }) {
    super("corrupt-state", `stored ${record} is corrupt: ${why}`, options);
    this.name = "CorruptStateError";
    this.record = record;
  }
}
