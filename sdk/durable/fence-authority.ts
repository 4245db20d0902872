// The port: something that remembers the fence in force and judges claims one after another.
import type { OwnershipFence } from "./fence.ts";

/** Serialises claims per session. Rules DU1… in SPEC.md hold for every implementation. */
export interface FenceAuthority {
  /** The fence in force, or undefined when nobody ever claimed. As fresh as the implementation can know: another owner may be claiming. */
  current(sessionId: string): Promise<OwnershipFence | undefined>;
  /** Makes `fence` the one in force, or rejects with `StaleOwnerError`, `SplitBrainError`, `InvalidTokenError` (in this order of checks); then nothing changed. Idempotent. */
  claim(sessionId: string, fence: OwnershipFence): Promise<void>;
  /** Claims the next epoch for `owner`, whatever it is now; retries when another claim comes between. */
  takeOver(sessionId: string, owner: string): Promise<OwnershipFence>;
}

/** How often `takeOver` starts again when others keep claiming between its read and its claim; then the last refusal is thrown. */
export const TAKE_OVER_TRIES_MAX = 32;
