// The four ways into a session with the page's own clock and randomness filled in: for those who compose a match themselves.
import type { PeerId } from "./base/index.ts";
import { systemClock, systemRandom, wallClock } from "./platform/index.ts";
import type { Seam } from "./seam/index.ts";
import * as session from "./session/index.ts";

/** Options whose clock and randomness may be left to the page. */
export type OnPage<Options extends session.SessionOptions> = Omit<Options, "clock" | "random"> & Partial<Pick<Options, "clock" | "random">>;

function onPage<Options extends session.SessionOptions>(options: OnPage<Options>): Omit<Options, "clock" | "random"> & Pick<session.SessionOptions, "clock" | "random" | "wallClock"> {
  return { wallClock: options.clock === undefined ? wallClock : undefined, ...options, clock: options.clock ?? systemClock, random: options.random ?? systemRandom() };
}

/** `gameHost` of `flotilla/session` on the page's clock: starts a group on `seam` and admits joiners for as long as the match lives. Errors as there. */
export function gameHost(seam: Seam, options: OnPage<session.GameHostOptions> = {}): Promise<session.GameSession> {
  return session.gameHost(seam, onPage(options));
}

/** `gameJoin` of `flotilla/session` on the page's clock: finds the group on `seam` and takes a seat. Errors as there. */
export function gameJoin(seam: Seam, options: OnPage<session.GameJoinOptions> = {}): Promise<session.GameSession> {
  return session.gameJoin(seam, onPage(options));
}

/** `gameSpectate` of `flotilla/session` on the page's clock: finds the group on `seam` and watches. Errors as there. */
export function gameSpectate(seam: Seam, options: OnPage<session.GameSpectateOptions> = {}): Promise<session.GameSession> {
  return session.gameSpectate(seam, onPage(options));
}

/** `gameNode` of `flotilla/session` on the page's clock: takes its place in a roster known beforehand. Errors as there. */
export function gameNode(seam: Seam, voterIds: readonly PeerId[], options: OnPage<session.GameNodeOptions> = {}): Promise<session.GameSession> {
  return session.gameNode(seam, voterIds, onPage(options));
}
