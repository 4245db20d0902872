// The optional Node process: signaling rooms, witnesses, static pages, health and counters.
export { DEFAULT_LIMITS, DEFAULT_WITNESS_LIMITS, type ServerLimits, type WitnessLimits } from "./limits.ts";
export type { ServerCounts } from "./metrics.ts";
export type { AllowedOrigins } from "./origin.ts";
export { startServer, type RunningServer, type ServerOptions } from "./server.ts";
