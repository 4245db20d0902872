// The composition root: one call that joins identity, seam, replica, session and game. The one place that may know every layer.
import { fromHex, hasCode, InvalidArgumentError, utf8, type Clock, type Random } from "./base/index.ts";
import { clusterLane } from "./cluster/index.ts";
import { defineGame, type DefinedGame } from "./game/index.ts";
import { importIdentity, verifyFormer, type Identity } from "./identity/index.ts";
import { coreMeeter, coreOf } from "./open-match-core.ts";
import { beginningFrom, type Beginning } from "./open-match-file.ts";
import { openHome, type Home } from "./open-match-home.ts";
import { LiveMatch } from "./open-match-live.ts";
import { checkOptions } from "./open-match-options.ts";
import { inviteTo, roomFrom, storageNameOf, type RoomAddress } from "./open-match-room.ts";
import { meet, meetOver, type Meeting, type MeetingOptions } from "./open-match-seam.ts";
import type { CorePlacement, Match, MatchBetween, MatchOptions, MatchStart } from "./open-match-types.ts";
import { witnessLinks } from "./open-match-witness.ts";
import { pageLifecycle, systemRandom, tabClock, wallClock, type PageLifecycle } from "./platform/index.ts";
import { signalingKey, type Seam, type SignalingKey } from "./seam/index.ts";
import { SEATS_MAX, type SessionOptions } from "./session/index.ts";

export type { MatchPhase, MatchPlayer, MatchStatus } from "./open-match-status.ts";
export { coreRoomOf } from "./open-match-core.ts";
export { WrongPasswordError } from "./open-match-errors.ts";
export type { Invite } from "./open-match-room.ts";
export { exportMatch, importMatch, type ImportedMatch } from "./open-match-file.ts";
export type { CorePlacement, Match, MatchBetween, MatchOptions, MatchStart, PlayOutcome } from "./open-match-types.ts";

/**
 * Opens a room and plays in it: the first one in hosts, the next join, a full room is watched. Resolves once this tab is in, which for
 * the first one means at once, with seats still free. If any tab closes, the host's included, the others go on.
 *
 * Rejects with `InvalidArgumentError` (before anything starts), `KickedError`, `AdmissionRefusedError`, `RosterFullError` (full, and
 * nobody may watch), `RulesMismatchError` (what this tab would come back to was played under another version: load that one, or pass `resume: false`),
 * `WrongPasswordError` (a few seconds after the others were heard and none understood),
 * `WrongPassphraseError` and `MalformedError` (what `returnAs` brings can not be opened),
 * `JoinTimeoutError` or `SpectateTimeoutError` (a minute without anybody who could let it in), `SeamTornError` (signaling failed for good), or the
 * signal's reason. With `from` also, before anything starts, `CorruptStateError` (damaged, or not such a file) and `RulesMismatchError` (of another game
 * or version), and `DuplicateHostError` where the room plays already. Then nothing is left running.
 */
export async function openMatch<State, Action>(options: MatchOptions<State, Action>): Promise<Match<State, Action>> {
  checkOptions(options);
  const { signal, logger, page = pageLifecycle() } = options;
  const game = defineGame(options.game);
  const core = coreOf(options);
  const beginning = beginningOf(game, options);
  const seats = beginning?.seats ?? options.seats ?? 2;
  if (!Number.isInteger(seats) || seats < 1 || seats > SEATS_MAX) throw new InvalidArgumentError(`seats is a whole number from 1 to ${SEATS_MAX}, got ${seats}`);
  const random = options.random ?? systemRandom();
  const address = roomFrom(options, random);
  signal?.throwIfAborted();
  const ownClock = tabClock({ lifecycle: page });
  try {
    // A seam made elsewhere has no signaling of ours.
    const key = await signalingKey({ room: address.room, secret: address.key, password: options.seam === undefined ? options.password : undefined });
    const former = options.returnAs && (await importIdentity(options.returnAs.file, options.returnAs.passphrase));
    const clock = options.clock ?? ownClock;
    const world = { game, address, key, former, random, clock: options.between?.clock?.(clock) ?? clock, page, seats, beginning, core };
    const match = await openIn(world, options).catch((error: unknown) => {
      // What was stored can not be believed, and was put aside: this tab goes on as somebody new, who can prove whom it was.
      if (!hasCode(error, "corrupt-state") || options.seam !== undefined) throw error;
      logger?.error("what this tab had stored of the match is damaged; it goes on as a new peer", error);
      return openIn(world, options);
    });
    void match.ended.then(() => ownClock.close());
    return match;
  } catch (error) {
    ownClock.close();
    throw error;
  }
}

interface World<State, Action> {
  readonly game: DefinedGame<State, Action>;
  readonly address: RoomAddress;
  readonly key: SignalingKey;
  /** Whom this person was in another browser. */
  readonly former: Identity | undefined;
  readonly random: Random;
  readonly clock: Clock;
  readonly page: PageLifecycle;
  readonly seats: number;
  readonly beginning: Beginning | undefined;
  readonly core: CorePlacement | undefined;
}

function beginningOf<State, Action>(game: DefinedGame<State, Action>, { from, seats, spectate }: MatchOptions<State, Action>): Beginning | undefined {
  if (from === undefined) return undefined;
  if (spectate === true) throw new InvalidArgumentError("who brings a match along hosts it: from and spectate exclude each other");
  const { file, at, as }: MatchStart = from instanceof Uint8Array ? { file: from } : from;
  return beginningFrom(game, { file, at, as, seats });
}

async function openIn<State, Action>(world: World<State, Action>, options: MatchOptions<State, Action>): Promise<LiveMatch<State, Action>> {
  const { address, key, former, random, clock } = world;
  const { signal, storage, durability = "strict", logger } = options;
  const seam = typeof options.seam === "function" ? options.seam() : options.seam;
  const place = await openHome({ room: storageNameOf(address), selfId: seam?.selfId, storage, durability, clock, random, logger, signal }).catch(async (error: unknown) => {
    await seam?.close();
    throw error;
  });
  const home: Home = former === undefined ? place : { ...place, displaced: former.peerId, takeOver: () => Promise.resolve(former) };
  const self = { selfId: home.peerId, identity: home.identity, key, address, clock, random, logger, openSocket: options.openSocket };
  const meetWith = (): ((onSealed: MeetingOptions["onSealed"]) => Meeting) => through(options.between, world.core === undefined ? meeter(options, seam, self) : coreMeeter(world.core, self));
  const match = await made(() => new LiveMatch({ ...world, options, hasCore: world.core !== undefined, home, meet: meetWith(), session: sessionOptions(options, world, home), invite: inviteTo(address) }), async () => {
    await seam?.close();
    await home.release();
  });
  await match.open(signal);
  return match;
}

/** What `make` makes; when it throws (a game's `setup`, a signaling factory), `letGo` first gives back what was taken for it. */
async function made<T>(make: () => T, letGo: () => Promise<void>): Promise<T> {
  try {
    return make();
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** The same way out, with what the caller puts in between. */
function through<Heard>(between: MatchBetween | undefined, goOut: (onSealed: Heard) => Meeting): (onSealed: Heard) => Meeting {
  return (onSealed) => {
    const meeting = goOut(onSealed);
    return { ...meeting, seam: between?.seam?.(meeting.seam) ?? meeting.seam };
  };
}

/** How this tab goes out to the others, the first time and every later one. */
function meeter<State, Action>({ seam, signaling, iceServers, relay, openSocket }: MatchOptions<State, Action>, first: Seam | undefined, self: Pick<MeetingOptions, "selfId" | "identity" | "key" | "clock" | "random" | "logger">): (onSealed: MeetingOptions["onSealed"]) => Meeting {
  if (first === undefined) return (onSealed) => meet({ ...self, signaling, iceServers, relay, openSocket, onSealed });
  let next: Seam | undefined = first;
  return () => {
    const met = next ?? (typeof seam === "function" ? seam() : first);
    next = undefined;
    return meetOver(met);
  };
}

function sessionOptions<State, Action>(options: MatchOptions<State, Action>, { game, clock, random, page }: World<State, Action>, home: Home): SessionOptions {
  const { name, raft, admit, evictAfterMs, logger } = options;
  return {
    clock,
    random,
    wallClock: options.clock === undefined ? wallClock : undefined,
    name,
    rules: game.rules,
    // Of every match, whether it uses it or not: a lane counts only where everybody folds it.
    lanes: [clusterLane],
    raftConfig: raft,
    admit,
    evictAfterMs,
    logger,
    storage: home.store,
    reopenStorage: home.reopen,
    verifyClaim: ({ peer, publicKey, signature }, text) => verifyFormer({ peerId: peer, publicKey: fromHex(publicKey), signature: fromHex(signature) }, utf8(text)),
    visibility: page,
    witness: witnessLinks({ ...options, identity: home.identity, clock, random }),
  };
}
