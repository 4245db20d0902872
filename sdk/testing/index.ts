// What others need to test against Flotilla: a table for their own games, the contracts' runner, a clock turned by hand, and the deterministic simulator.
export { brokenObligations, describeContract, type Obligation, type RegisterTest, type TestRunner } from "./obligations.ts";
export { failoverMatrix, formatFailoverMatrix, type CrashPoint, type FailoverPlace, type FailoverRow } from "./failover-matrix.ts";
export { gameObligations, type GameHarness } from "../game/game.contract.ts";
export { FaultyByteStore, type FaultPlan, type WriteFault } from "./faulty-byte-store.ts";
export { VirtualClock } from "./virtual-clock.ts";
export { checkRegister, type RegisterInput, type RegisterOperation, type Verdict } from "./sim/linearizability.ts";
export { simulate, type SimOptions, type SimReport } from "./sim/simulate.ts";
export { TestPlayer, type PlayerSurroundings } from "./table/player.ts";
export { openTable, TestTable, type TableOptions } from "./table/table.ts";
