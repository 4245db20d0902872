// A fence whose epochs come from consensus: claims are committed entries, judged in log order on every node alike.
import { ByteReader, ByteWriter, hasCode, MalformedError, SdkError } from "../base/index.ts";
import { decodeFence, encodeFence, judgeClaim, type OwnershipFence } from "./fence.ts";
import type { FenceAuthority } from "./fence-authority.ts";
import { takeOverWith } from "./store-fence.ts";

/** The number of the fence lane in the log (see OrderedLog's lanes). */
export const FENCE_LANE = 3;

/** Sessions one log may fence; a claim for one more is refused as a no-op everywhere. */
export const FENCED_SESSIONS_MAX = 100_000;

/** How often one claim is proposed, each time under the same key, while its outcome stays unknown. */
export const CLAIM_TRIES_MAX = 3;

/** What a fence needs of a log: an OrderedLog fits as it is. */
export interface ClaimLog {
  /** The serial of the latest proposal, readable as soon as `propose` was called. */
  readonly lastRequestId: number;
  /** Resolves once the command is committed and applied here; rejects as `OrderedLog.propose` does. The same `requestId` again settles what is open. */
  propose(payload: Uint8Array, options: { readonly lane: number; readonly requestId?: number | undefined }): Promise<{ readonly index: number }>;
  /** Resolves once everything committed before the call is applied here. */
  readIndex(): Promise<number>;
}

/** The fences in force, by session: the state of the fence lane. */
export type FenceTable = ReadonlyMap<string, OwnershipFence>;

/** Bytes of a claim command. */
export function encodeClaim(sessionId: string, fence: OwnershipFence): Uint8Array {
  return new ByteWriter().text(sessionId).bytes(encodeFence(fence)).finish();
}

function decodeClaim(payload: Uint8Array): { readonly sessionId: string; readonly fence: OwnershipFence } {
  const reader = new ByteReader(payload);
  const claim = { sessionId: reader.text(1024), fence: decodeFence(reader.bytes(4096)) };
  reader.end();
  return claim;
}

/** The fence lane as a pure reducer: a refused or unreadable claim leaves the table as it is. Fits LaneReducer. */
export const fenceLane: {
  readonly lane: number;
  readonly initial: FenceTable;
  /** The table after a claim: a new one when it is granted under a new epoch, else the same. Never throws. */
  apply(table: FenceTable, command: { readonly payload: Uint8Array }): FenceTable;
  /** The lane's section, sessions sorted: equal tables give equal bytes. */
  encode(table: FenceTable): Uint8Array;
  /** The table of a section. Throws `MalformedError` for bytes that are none. */
  decode(section: Uint8Array): FenceTable;
} = {
  lane: FENCE_LANE,
  initial: new Map(),
  apply(table, command) {
    let claim: ReturnType<typeof decodeClaim>;
    try {
      claim = decodeClaim(command.payload);
    } catch {
      return table;
    }
    const current = table.get(claim.sessionId);
    if (current === undefined && table.size >= FENCED_SESSIONS_MAX) return table;
    if (judgeClaim(claim.sessionId, current, claim.fence) !== undefined) return table;
    if (current !== undefined && current.epoch === claim.fence.epoch) return table;
    return new Map(table).set(claim.sessionId, claim.fence);
  },
  encode(table) {
    const writer = new ByteWriter();
    const sessions = [...table.keys()].sort();
    writer.list(sessions, (sessionId) => {
      writer.text(sessionId).bytes(encodeFence(table.get(sessionId) as OwnershipFence));
    });
    return writer.finish();
  },
  decode(section) {
    const reader = new ByteReader(section);
    const table = new Map(reader.list(() => [reader.text(1024), decodeFence(reader.bytes(4096))] as const, FENCED_SESSIONS_MAX));
    reader.end();
    if (table.size > FENCED_SESSIONS_MAX) throw new MalformedError("too many fences");
    return table;
  },
};

/**
 * A {@link FenceAuthority} over a replicated log that has {@link fenceLane} among its lanes. A claim costs one commit, `current` one linearizable
 * read; both wait for a quorum and reject as the log does. A claim that rejects with `leadership-lost` or `proposal-timeout` may still be granted:
 * claiming the same fence again settles it. `table` returns the fence lane's state as applied on this node.
 *
 * ```ts
 * const node = await openReplica({ …, lanes: [fenceLane] });
 * const fences = new LogFence(node, () => node.laneState(fenceLane));
 * ```
 */
export class LogFence implements FenceAuthority {
  readonly #log: ClaimLog;
  readonly #table: () => FenceTable;

  constructor(log: ClaimLog, table: () => FenceTable) {
    this.#log = log;
    this.#table = table;
  }

  async current(sessionId: string): Promise<OwnershipFence | undefined> {
    await this.#log.readIndex();
    return this.#table().get(sessionId);
  }

  async claim(sessionId: string, fence: OwnershipFence): Promise<void> {
    const early = judgeClaim(sessionId, this.#table().get(sessionId), fence);
    if (early !== undefined) throw early;
    await this.#commit(encodeClaim(sessionId, fence));
    // The table is at or past the claim's index. Another owner's later claim may already stand there: then ours is over, and saying so is right.
    const now = this.#table().get(sessionId);
    if (now === undefined) throw new SdkError("fence-limit", `the log fences ${FENCED_SESSIONS_MAX} sessions already`);
    const refusal = judgeClaim(sessionId, now, fence);
    if (refusal !== undefined) throw refusal;
  }

  async takeOver(sessionId: string, owner: string): Promise<OwnershipFence> {
    return takeOverWith(this, sessionId, owner);
  }

  /** One key for all tries: however often it is proposed, and by whichever leader it is appended, the claim is judged once. */
  async #commit(payload: Uint8Array): Promise<void> {
    let requestId: number | undefined;
    for (let tries = 1; ; tries += 1) {
      const proposing = this.#log.propose(payload, { lane: FENCE_LANE, requestId });
      requestId ??= this.#log.lastRequestId;
      try {
        await proposing;
        return;
      } catch (error) {
        if (tries === CLAIM_TRIES_MAX || !isOpen(error)) throw error;
      }
    }
  }
}

/** Whether the claim may still be committed. */
function isOpen(error: unknown): boolean {
  return hasCode(error, "leadership-lost") || hasCode(error, "proposal-timeout");
}
