// Which pages may open a signaling connection: a decision without effects.

/** `any` for a public server, else the origins allowed beside the server's own and those of the local machine. */
export type AllowedOrigins = "any" | readonly string[];

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Judges the `Origin` header of an upgrade request. No origin (a program, not a page), the server's own origin and pages
 * of the local machine are allowed; other pages only when listed.
 */
export function isOriginAllowed(origin: string | undefined, host: string | undefined, allowed: AllowedOrigins): boolean {
  if (origin === undefined || allowed === "any") return true;
  if (allowed.includes(origin)) return true;
  let url: URL;
  try {
    url = new URL(origin);
  } catch {
    return false;
  }
  return url.host === host || LOCAL.has(url.hostname);
}
