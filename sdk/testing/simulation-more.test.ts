import { test } from "vitest";
import { judgeSeeds } from "./sim/judge-many.ts";

test("500 seeds of a simulated minute each, all faults, break no rule (501 to 1000)", { timeout: 600_000 }, () => judgeSeeds(501, 1001));
