// Ownership fencing as a pure judgement: who may act, under which epoch. Not for storing the answer: see FenceAuthority.
import { digestHex, InvalidArgumentError, ByteReader, ByteWriter, MalformedError, type SdkError } from "../base/index.ts";
import { InvalidTokenError, SplitBrainError, StaleOwnerError } from "./errors.ts";

/** Proof of ownership. Epochs are whole numbers from 1 and only grow; everything done under an older epoch is refused. */
export interface OwnershipFence {
  readonly owner: string;
  readonly epoch: number;
  readonly token: string;
}

/** Limit of a session id and an owner name, characters. */
export const FENCE_NAME_CHARS_MAX = 256;

/**
 * The one token that (session, owner, epoch) must show: 16 hexadecimal digits of BLAKE2b over the three, length-prefixed and versioned.
 * It guards against mix-ups, not against an adversary who can compute it too; identity is proven elsewhere. Stable across versions.
 */
export function expectedToken(sessionId: string, owner: string, epoch: number): string {
  return digestHex(new ByteWriter().text("flotilla-fence-1").text(sessionId).text(owner).uint(epoch).finish());
}

/** The fence `owner` shows to claim `epoch` of `sessionId`. Throws `InvalidArgumentError` for empty or oversized names and for epochs that are no whole number from 1. */
export function fenceFor(sessionId: string, owner: string, epoch: number): OwnershipFence {
  for (const [what, name] of [["session id", sessionId], ["owner", owner]] as const) {
    if (name.length === 0 || name.length > FENCE_NAME_CHARS_MAX) throw new InvalidArgumentError(`a ${what} has 1 to ${FENCE_NAME_CHARS_MAX} characters, got ${name.length}`);
  }
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new InvalidArgumentError(`an epoch is a whole number from 1, got ${epoch}`);
  return { owner, epoch, token: expectedToken(sessionId, owner, epoch) };
}

/** The fence with which `owner` takes over from `current`, which may be nobody's: one epoch later. Throws as {@link fenceFor} does. */
export function nextFence(sessionId: string, owner: string, current: OwnershipFence | undefined): OwnershipFence {
  return fenceFor(sessionId, owner, (current?.epoch ?? 0) + 1);
}

/** Why a claim is refused. */
export type FenceRefusal = StaleOwnerError | SplitBrainError | InvalidTokenError;

/**
 * Judges a claim against the fence in force, in this order: lower epoch → stale owner; same epoch, other owner → split brain; wrong
 * token → invalid token. Undefined: granted, and everything later under an older epoch is refused. The same owner's same claim is
 * granted again (idempotent).
 */
export function judgeClaim(sessionId: string, current: OwnershipFence | undefined, claim: OwnershipFence): FenceRefusal | undefined {
  if (current !== undefined) {
    if (claim.epoch < current.epoch) return new StaleOwnerError(current.epoch, claim.epoch);
    if (claim.epoch === current.epoch && claim.owner !== current.owner) return new SplitBrainError(current.owner, claim.owner, claim.epoch);
  }
  if (claim.token !== expectedToken(sessionId, claim.owner, claim.epoch)) return new InvalidTokenError(claim.owner, claim.epoch);
  return undefined;
}

/** A short stable name for logs and reports: `owner@epoch`. */
export function fenceLabel(fence: OwnershipFence): string {
  return `${fence.owner}@${fence.epoch}`;
}

/** A stable 16-digit signature of a fence within its session; changes with any field. */
export function fenceSignature(sessionId: string, fence: OwnershipFence): string {
  return digestHex(new ByteWriter().text("flotilla-fence-signature-1").text(sessionId).raw(encodeFence(fence)).finish());
}

/** Bytes of a fence: version 1, owner, epoch, token. */
export function encodeFence(fence: OwnershipFence): Uint8Array {
  return new ByteWriter().byte(1).text(fence.owner).uint(fence.epoch).text(fence.token).finish();
}

/** The fence of {@link encodeFence}'s bytes. Throws `MalformedError`. */
export function decodeFence(bytes: Uint8Array): OwnershipFence {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== 1) throw new MalformedError(`a fence of version ${version} where 1 is known`);
  const fence = { owner: reader.text(4 * FENCE_NAME_CHARS_MAX), epoch: reader.uint(), token: reader.text(64) };
  reader.end();
  if (fence.epoch < 1 || fence.owner.length === 0) throw new MalformedError("a fence without owner or epoch");
  return fence;
}

/** True for the three refusals, from any copy of the SDK. */
export function isFenceRefusal(error: unknown): error is SdkError {
  return error instanceof Error && "code" in error && (error.code === "stale-owner" || error.code === "split-brain" || error.code === "invalid-token");
}
