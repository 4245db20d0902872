// The engines that can be judged.
import type { EngineKind } from "./engine.ts";
import { raftEngine } from "./raft-engine.ts";
import { replicaEngine } from "./replica-engine.ts";

export { raftEngine, replicaEngine };

/** What is judged when nothing else is asked for. */
export const defaultEngine: EngineKind = replicaEngine;
