// Whether this page has a server to meet strangers through. Tabs of one browser find each other without any.

/** The WebSocket address named by flotilla.json beside the page; undefined on a plain static host. */
export async function signalingUrl(): Promise<string | undefined> {
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
