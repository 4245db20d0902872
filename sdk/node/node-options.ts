// All that `openMatch` needs in Node, in one call.
import type { SocketFactory } from "../seam/index.ts";
import { openNodeSocket } from "./node-socket.ts";
import { openPlayerFolder, type PlayerFolder } from "./player-folder.ts";

/** To be spread into the options of `openMatch`. */
export interface NodeOptions {
  readonly openSocket: SocketFactory;
  readonly storage: "memory" | PlayerFolder;
}

/**
 * What a program needs to play from Node 20 on, where there is no WebRTC: it is linked through the relay of the server that `signaling` names, which must have one.
 * `folder`: where it keeps who it is and its part of the match, so that it is the same player after it was killed; one directory per player and room. Without one
 * it is somebody new each time. Rejects as {@link openPlayerFolder} does. The match closes the directory when it ends.
 */
export async function nodeOptions({ folder, signal }: { readonly folder?: string | undefined; readonly signal?: AbortSignal | undefined } = {}): Promise<NodeOptions> {
  signal?.throwIfAborted();
  return { openSocket: openNodeSocket, storage: folder === undefined ? "memory" : await openPlayerFolder(folder, { signal }) };
}
