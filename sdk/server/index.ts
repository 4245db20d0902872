// The optional Node process: signaling rooms, static pages, health and counters.
export { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
export type { ServerCounts } from "./metrics.ts";
export type { AllowedOrigins } from "./origin.ts";
export { startServer, type RunningServer, type ServerOptions } from "./server.ts";
