// Meaning on top of bytes: who owns a state, and how it outlives its process.
export { backendLabel, journalOnly, snapshotJournal, snapshotOnly, supportedBackends, type BackendKind, type DurableBackend, type JournalOnly, type SnapshotJournal, type SnapshotOnly } from "./backend.ts";
export { CONTINUITY_OBJECTIVES, reportContinuity, type ContinuityObjectives, type ContinuityReport } from "./continuity.ts";
export { DURABLE_PENDING_MAX, DurableSession, JOURNAL_SHOWN_MAX, type DurableLifecycle, type DurableSessionOptions, type OpeningReport, type ResumePolicy } from "./durable-session.ts";
export { DurableCorruptError, InvalidTokenError, LifecycleError, SplitBrainError, StaleOwnerError } from "./errors.ts";
export { decodeFence, encodeFence, expectedToken, FENCE_NAME_CHARS_MAX, fenceFor, fenceLabel, fenceSignature, isFenceRefusal, judgeClaim, nextFence, type FenceRefusal, type OwnershipFence } from "./fence.ts";
export { TAKE_OVER_TRIES_MAX, type FenceAuthority } from "./fence-authority.ts";
export { fencedByteStore, mustOwn, ownerCondition, takeStore } from "./fenced-store.ts";
export { journalLabel, type JournalEntry, type JournalKind } from "./journal.ts";
export { CLAIM_TRIES_MAX, encodeClaim, FENCE_LANE, FENCED_SESSIONS_MAX, fenceLane, LogFence, type ClaimLog, type FenceTable } from "./log-fence.ts";
export { MachineFence, type FenceHold, type MachineFenceOptions, type OwnerLocks } from "./machine-fence.ts";
export { fenceKey, StoreFence } from "./store-fence.ts";
