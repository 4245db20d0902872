// How this page finds the other tabs: always within this browser, and through the server that serves it, if it says so.
import { BroadcastChannelSignaling, type SignalingFactory, WebSocketSignaling } from "../sdk/index.ts";

/** The WebSocket address named by flotilla.json beside the page; undefined on a plain static host. */
async function serverUrl(): Promise<string | undefined> {
  try {
    const answer = await fetch("./flotilla.json", { cache: "no-store" });
    const settings: unknown = await answer.json();
    if (typeof settings !== "object" || settings === null || !("signaling" in settings) || typeof settings.signaling !== "string") return undefined;
    const url = new URL(settings.signaling, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  } catch {
    return undefined;
  }
}

/** Every way to the others that this page has. */
export async function waysToTheOthers(): Promise<readonly SignalingFactory[]> {
  const url = await serverUrl();
  const here: SignalingFactory = (options) => new BroadcastChannelSignaling(options);
  return url === undefined ? [here] : [here, (options) => new WebSocketSignaling({ ...options, url })];
}
