import { test } from "vitest";
import { judgeSeeds } from "./sim/judge-many.ts";

// Its other half stands in simulation-more.test.ts, so that two cores share the work.
test("500 seeds of a simulated minute each, all faults, break no rule (1 to 500)", { timeout: 600_000 }, () => judgeSeeds(1, 501));
