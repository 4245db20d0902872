// The optional Node process: signaling rooms, a relay, witnesses, a fixed core, static pages, health and counters.
export { CORE_RAFT_CONFIG, type CoreOptions } from "./core.ts";
export type { AllowedRooms } from "./core-door.ts";
export type { AdmitRoom } from "./core-endpoint.ts";
export type { CoreRoomStatus } from "./core-room-status.ts";
export type { AdmitInRoom, RunInRoom } from "./core-rooms.ts";
export { DEFAULT_CORE_LIMITS, DEFAULT_LIMITS, DEFAULT_RELAY_LIMITS, DEFAULT_WITNESS_LIMITS, type CoreLimits, type RelayLimits, type ServerLimits, type WitnessLimits } from "./limits.ts";
export type { ServerCounts } from "./metrics.ts";
export type { AllowedOrigins } from "./origin.ts";
export { startServer, type RunningServer, type ServerOptions } from "./server.ts";
export { startCore, type RunningCore, type StartCoreOptions } from "./start-core.ts";
