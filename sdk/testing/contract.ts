// The contracts in Vitest, which judges everything here.
import { describe, test } from "vitest";
import { describeContract as describeWith, type Obligation } from "./obligations.ts";

export { brokenObligations, type Obligation } from "./obligations.ts";

/** Registers one test per obligation. */
export function describeContract<H>(title: string, obligations: readonly Obligation<H>[], harness: H): void {
  describeWith(title, obligations, harness, { describe, test });
}
