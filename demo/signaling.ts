// Whether this page has a server to meet strangers through. Tabs of one browser find each other without any.

/** What the page's server offers: the address of its signaling, and whether it is a witness. */
export interface Server {
  readonly signaling: string;
  readonly witness: boolean;
}

/** The server named by flotilla.json beside a page (this one, or the one a link leads to); undefined on a plain static host. */
export async function findServer(page: string = location.href): Promise<Server | undefined> {
  try {
    const answer = await fetch(new URL("./flotilla.json", page), { cache: "no-store" });
    const settings: unknown = await answer.json();
    if (typeof settings !== "object" || settings === null || !("signaling" in settings) || typeof settings.signaling !== "string") return undefined;
    const url = new URL(settings.signaling, page);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return { signaling: url.href, witness: "witness" in settings && typeof settings.witness === "string" };
  } catch {
    return undefined;
  }
}
