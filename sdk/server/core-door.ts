// What is decided at the door of a core before any group is asked: which rooms there are, and which names this process goes by. Without effects.
import { InvalidArgumentError } from "../base/index.ts";

/** `any`, or the rooms there are: names, in which `*` stands for any run of characters, none too. */
export type AllowedRooms = "any" | readonly string[];

/** Whether a core has such a room. */
export function isRoomAllowed(room: string, allowed: AllowedRooms): boolean {
  return allowed === "any" || allowed.some((pattern) => isLike(room, pattern));
}

/** By hand: a pattern with many stars, made a regular expression, can take for ever. */
function isLike(room: string, pattern: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let from = 0;
  while (at < room.length) {
    if (pattern[next] === "*") {
      star = next;
      next += 1;
      from = at;
    } else if (pattern[next] === room[at]) {
      at += 1;
      next += 1;
    } else if (star >= 0) {
      from += 1;
      at = from;
      next = star + 1;
    } else return false;
  }
  return /^\**$/u.test(pattern.slice(next));
}

/** The name in a `Host` header or in a list, as a URL has it and without a port; undefined for what is none. */
export function hostNameOf(text: string): string | undefined {
  if (!/^[^/?#@\\\s]+$/u.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  return new URL(`http://${text}`).hostname;
}

/** The names of a list as URLs have them. Throws `InvalidArgumentError` for what is none, or has a port: those are not looked at. */
export function hostNamesOf(names: readonly string[]): readonly string[] {
  return names.map((name) => {
    const host = /:\d*$/u.test(name) ? undefined : hostNameOf(name);
    if (host === undefined) throw new InvalidArgumentError(`a core goes by names of hosts, without scheme and port, got ${JSON.stringify(name)}`);
    return host;
  });
}
