// A port's promises as data: the same list judges every implementation, and is itself judged against broken ones.

/** One promise an implementation makes, named by its rule in SPEC.md. */
export interface Obligation<H> {
  readonly id: string;
  readonly says: string;
  /** A reason why a platform can not keep this rule; core rules leave it out. */
  readonly unless?: ((harness: H) => string | undefined) | undefined;
  /** Resolves when the promise is kept; rejects, saying what was seen, when it is broken. */
  readonly check: (harness: H) => Promise<void>;
}

/** Registers a test, or shows one that is not run. */
export interface RegisterTest {
  /** Registers a test. */
  (title: string, body: () => Promise<void>): unknown;
  /** Registers one that is shown and not run. */
  readonly skip: (title: string, body: () => Promise<void>) => unknown;
}

/** What registers tests: `describe` and `test` of Vitest, Jest, `node:test` and their like. */
export interface TestRunner {
  /** Registers the tests that `body` registers under a title. */
  readonly describe: (title: string, body: () => void) => unknown;
  /** Registers one test. */
  readonly test: RegisterTest;
}

/** Registers one test per obligation with a runner, as in `describeContract("MySeam", obligations, harness, { describe, test })`; a gap is a visible skip with its reason. */
export function describeContract<H>(title: string, obligations: readonly Obligation<H>[], harness: H, { describe, test }: TestRunner): void {
  describe(title, () => {
    for (const { id, says, unless, check } of obligations) {
      const gap = unless?.(harness);
      if (gap === undefined) test(`[${id}] ${says}`, () => check(harness));
      else test.skip(`[${id}] ${says} — not here: ${gap}`, () => check(harness));
    }
  });
}

/**
 * The ids of the obligations this harness breaks, in order: for showing that a suite can fail, on the rule meant. A broken implementation
 * may never answer: with `patienceMs` a check that has not ended by then counts as broken.
 */
export async function brokenObligations<H>(obligations: readonly Obligation<H>[], harness: H, patienceMs?: number): Promise<string[]> {
  const broken: string[] = [];
  for (const { id, unless, check } of obligations) {
    if (unless?.(harness) !== undefined) continue;
    await ended(check(harness), patienceMs).catch(() => broken.push(id));
  }
  return broken;
}

async function ended(check: Promise<void>, patienceMs: number | undefined): Promise<void> {
  if (patienceMs === undefined) return check;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const impatience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${patienceMs} ms`)), patienceMs);
  });
  return Promise.race([check, impatience]).finally(() => clearTimeout(timer));
}
