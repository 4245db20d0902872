// How a match meets the others when it is not given a seam: signaling of the room, and the WebRTC mesh on it.
import { hasCode, silentLogger, type Clock, type Logger, type PeerId, type Random } from "./base/index.ts";
import type { RotatingSeam } from "./client/index.ts";
import { verifySignature, type Identity } from "./identity/index.ts";
import { BroadcastChannelSignaling, combineSignaling, encryptedSignaling, MeshSignaling, MuxSeam, WebSocketSignaling, type EncryptedSignaling, type Seam, type Signaling, type SignalingFactory, type SignalingKey, type SocketFactory } from "./seam/index.ts";
import { relayOf } from "./open-match-relay.ts";
import type { MatchOptions } from "./open-match-types.ts";
import { WebRtcSeam, type Lane, type WebRtcSeamOptions } from "./seam/webrtc/index.ts";

/** What a seam is made of. */
export interface MeetingOptions {
  readonly selfId: PeerId;
  /** Proven on every link, and asked of everybody. Undefined: no key could be made, and this page meets only others like it. */
  readonly identity: Identity | undefined;
  /** Where the room is met, and what its signaling is sealed with. */
  readonly key: SignalingKey;
  readonly signaling: string | SignalingFactory | readonly SignalingFactory[] | undefined;
  readonly iceServers: WebRtcSeamOptions["iceServers"];
  readonly relay?: MatchOptions<unknown, unknown>["relay"];
  readonly openSocket?: SocketFactory | undefined;
  /** Hears what others send beside their links. */
  readonly onSealed?: WebRtcSeamOptions["onSealed"];
  readonly clock: Clock;
  readonly random: Random;
  /** Hears what went wrong on the way to others; the mesh keeps trying. */
  readonly logger: Logger | undefined;
}

/** A seam, and whom signaling has seen: somebody seen and not yet connected is worth waiting for. */
export interface Meeting {
  readonly seam: Seam;
  /** Announced in the room, left or not connected ones included. */
  readonly seen: ReadonlySet<PeerId>;
  /** Sends beside the links, by signaling: last words that must arrive although the link may be gone. Best effort. */
  readonly sendSealed: (to: PeerId, bytes: Uint8Array) => void;
  /** How frames go to a peer; undefined while it is not connected, and where nobody knows. */
  readonly laneOf: (peer: PeerId) => Lane | undefined;
  /** Tells once when others speak here and nobody can be understood: see {@link watchKeys}. Returns the end of it. */
  readonly onOtherKeys: (listener: () => void) => () => void;
  /** With a core: which of its servers carries this, and what is wrong. */
  readonly way?: Pick<RotatingSeam, "status" | "on" | "hears" | "moveOn"> | undefined;
}

/** Tag of the channel on which those who are linked signal for each other. */
const SIGNALING_TAG = 10;

/** How long after the first words that could not be understood somebody may still say something that can, ms. */
const DOUBT_MS = 2_000;

/** Opens signaling and the mesh. The seam owns the signaling. */
export function meet(options: MeetingOptions): Meeting {
  const { selfId, clock, random, iceServers, onSealed, logger = silentLogger } = options;
  const identity = options.identity && { publicKey: options.identity.publicKey, sign: options.identity.sign, verify: verifySignature };
  const links = new MeshSignaling(options);
  const signaling = openSignaling(options, links);
  const seen = new Set<PeerId>();
  signaling.on("announced", (peer) => seen.add(peer));
  signaling.on("message", (from) => seen.add(from));
  signaling.on("left", (peer) => seen.delete(peer));
  const relay = relayOf({ relay: options.relay, signaling: options.signaling, place: options.key.place, clock, random, openSocket: options.openSocket });
  const seam = new WebRtcSeam({ selfId, identity, signaling, clock, random, iceServers, relay, onSealed });
  // Without a relay nothing helps a pair without a path but what the page gives it.
  seam.on("trouble", (error) => (hasCode(error, "nat-traversal") && relay === undefined ? logger.error(error.message, error) : logger.info(error.message, error)));
  links.carry(new MuxSeam(seam).channel(SIGNALING_TAG));
  return { seam, seen, sendSealed: (to, bytes) => seam.sendSealed(to, bytes), laneOf: (peer) => seam.laneOf(peer), onOtherKeys: (listener) => watchKeys(signaling, clock, listener) };
}

/**
 * Calls `listener` when somebody says what our key does not open, and for two seconds nobody says anything that it does: then ours is the odd one out, and it is
 * a wrong password (or a carrier that tampers with everything, which keeps people apart anyway). Who hears others with its own key has the right one, whoever else
 * knocks. There is no check value to compare: the sealed messages themselves show that a key is wrong, so nothing is given away by this.
 */
export function watchKeys(signaling: Pick<EncryptedSignaling, "on">, clock: Clock, listener: () => void): () => void {
  let stop = (): void => {};
  const offs = [
    signaling.on("message", () => end()),
    signaling.on("unreadable", () => {
      stop();
      stop = clock.after(DOUBT_MS, () => {
        end();
        listener();
      });
      offs[1]?.();
    }),
  ];
  const end = (): void => {
    stop();
    for (const off of offs) off();
  };
  return end;
}

/** A seam made elsewhere: nobody is seen before being connected. */
export function meetOver(seam: Seam): Meeting {
  return { seam, seen: new Set(), sendSealed: () => {}, laneOf: () => undefined, onOtherKeys: () => () => {} };
}

/** Sealed once for all channels, so that copies of one message are still told to be copies. */
function openSignaling(options: MeetingOptions, links: Signaling): EncryptedSignaling {
  const { selfId, key, random } = options;
  const place = { selfId, room: key.place };
  const channels = factoriesFrom(options).map((factory) => factory(place));
  if (channels.length === 0) channels.push(new BroadcastChannelSignaling(place));
  return encryptedSignaling(combineSignaling([links, ...channels]), key, random);
}

/** A server's address stands for the server and, beside it, the tabs of this browser, which need no server to find each other. */
function factoriesFrom({ signaling, clock, random, openSocket }: MeetingOptions): readonly SignalingFactory[] {
  if (typeof signaling === "function") return [signaling];
  if (typeof signaling !== "string") return signaling ?? [];
  const server: SignalingFactory = (options) => new WebSocketSignaling({ ...options, clock, random, openSocket, url: signaling });
  const here: SignalingFactory = (options) => new BroadcastChannelSignaling(options);
  return typeof BroadcastChannel === "undefined" ? [server] : [here, server];
}
