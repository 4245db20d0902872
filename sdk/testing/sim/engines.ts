// The engines that can be judged.
import type { EngineKind } from "./engine.ts";
import { raftEngine } from "./raft-engine.ts";

export { raftEngine };

/** What is judged when nothing else is asked for. */
export const defaultEngine: EngineKind = raftEngine;
