// The command line as a value.
import { parseArgs } from "node:util";
import { InvalidArgumentError } from "../base/index.ts";
import type { AllowedRooms } from "./core-door.ts";
import type { CoreLimits } from "./limits.ts";
import type { ServerOptions } from "./server.ts";

/** What `--help` prints. */
export const USAGE = `flotilla-server [--port 8080] [--host 127.0.0.1] [--static DIR] [--origin URL]... [--witness] [--no-relay]
                [--core-id a --core a=URL,b=URL,c=URL --core-secret-file FILE --data DIR [--game FILE] [--core-joins]
                 [--core-room NAME]... [--core-names HOST,HOST] [--core-keep-days 30]]

  --port    port to listen on; without it, 8080 or the next free one
  --host    address to listen on; 0.0.0.0 opens it to the network
  --static  folder of pages to serve; default: the demo beside this file
  --origin  a page's origin that may use the signaling; repeatable; "any" for all
  --witness also vote in groups that ask for it, as a voter that never sees a move: a match of two survives the crash of either
  --no-relay  do not carry what peers say where they find no path of their own. It is carried by default, sealed, and you pay for it: at most
            256 KiB/s per peer, 1 MiB/s per room and 8 MiB/s in all, and as much again on the way out
  --help    this text

  As a process of a fixed core, whose 1, 3 or 5 processes vote in every room while players learn and propose:

  --core-id           the name of this process: a-z, 0-9 and "-"
  --core              every process with the address the others reach it at, this one included; the same names for all
  --core-secret-file  a file with the secret the processes share, at least 16 bytes; nobody else's
  --data              folder of this process's records; never to be lost while its name is used, never copied to another
  --game              a module that exports "game" (defineGame): with it logs are kept small; without it each room's is kept whole. What it exports as
                      "admit" is asked who may play and watch, as a match's own admit is, with the room's name; "admitRoom" who may enter which room
  --core-joins        this process takes the place of another one, under a name of its own
  --core-room         a room there is; "*" stands for anything: --core-room "lobby-*". Repeatable. Without it, whoever comes opens any room
  --core-names        the names of hosts that players reach this process by: who means another one is refused. Without it, the one a connection asks for,
                      which is worth as much as the proxy before this process
  --core-keep-days    how long a room is kept that nobody enters, at any process; then its records are deleted. 0: for ever. The same for all; default 30
`;

const FURTHER_PORTS = 20;

/** What the command line says of a core. */
export interface CoreArguments {
  readonly id: string;
  readonly processes: Readonly<Record<string, string>>;
  readonly secretFile: string;
  readonly dataDir: string;
  readonly gameFile: string | undefined;
  readonly joins: boolean;
  readonly rooms: AllowedRooms;
  readonly names: readonly string[] | undefined;
  readonly limits: Partial<CoreLimits>;
}

/** The command line: what the server is started with, and what of a core is to be read and opened first. */
export interface CliOptions extends Omit<ServerOptions, "core"> {
  readonly core?: CoreArguments | undefined;
}

/** Reads the arguments; "help" when asked for it. Throws `InvalidArgumentError` (or Node's own error) for what it does not know. */
export function readArguments(args: readonly string[], defaultStaticDir: string | undefined): CliOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      host: { type: "string" },
      static: { type: "string" },
      origin: { type: "string", multiple: true },
      witness: { type: "boolean" },
      core: { type: "string" },
      "core-id": { type: "string" },
      "core-secret-file": { type: "string" },
      "core-joins": { type: "boolean" },
      "core-room": { type: "string", multiple: true },
      "core-names": { type: "string" },
      "core-keep-days": { type: "string" },
      data: { type: "string" },
      game: { type: "string" },
      "no-relay": { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return "help";
  const origins = (values.origin ?? []).map(readOrigin);
  const core = readCore(values);
  return {
    ...(values.port === undefined ? { furtherPorts: FURTHER_PORTS } : { port: readPort(values.port) }),
    host: values.host,
    staticDir: values.static ?? defaultStaticDir,
    origins: origins.includes("any") ? "any" : origins,
    ...(values.witness === true ? { witness: true } : {}),
    ...(core === undefined ? {} : { core }),
    ...(values["no-relay"] === true ? { relay: false } : {}),
  };
}

type CoreValues = Partial<Record<"core" | "core-id" | "core-secret-file" | "data" | "game" | "core-names" | "core-keep-days", string>> & { readonly "core-joins"?: boolean | undefined; readonly "core-room"?: readonly string[] | undefined };

function readCore(values: CoreValues): CoreArguments | undefined {
  const { core, "core-id": id, "core-secret-file": secretFile, data: dataDir, game: gameFile, "core-joins": joins = false, "core-room": rooms = "any", "core-names": names, "core-keep-days": days } = values;
  if ([core, id, secretFile, dataDir, gameFile, names, days, values["core-room"]].every((value) => value === undefined) && !joins) return undefined;
  if (core === undefined || id === undefined || secretFile === undefined || dataDir === undefined) throw new InvalidArgumentError("a process of a core needs --core-id, --core, --core-secret-file and --data");
  return { id, processes: readProcesses(core), secretFile, dataDir, gameFile, joins, rooms, names: names?.split(",").map((name) => name.trim()), limits: days === undefined ? {} : { keepMs: readDays(days) } };
}

function readProcesses(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").map((part): readonly [string, string] => {
    const at = part.indexOf("=");
    const url = part.slice(at + 1).trim();
    if (at < 1 || !URL.canParse(url)) throw new InvalidArgumentError(`--core is a list of name=URL, got ${JSON.stringify(part)}`);
    return [part.slice(0, at).trim(), url];
  });
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) throw new InvalidArgumentError("--core names a process twice");
  return Object.fromEntries(pairs);
}

/** As browsers say it: a page's path and a slash at the end are no part of it. */
function readOrigin(text: string): string {
  if (text === "any") return text;
  if (!URL.canParse(text) || new URL(text).origin === "null") throw new InvalidArgumentError(`--origin is a page's origin such as https://example.org, or any; got ${text}`);
  return new URL(text).origin;
}

function readDays(text: string): number {
  if (!/^\d{1,5}(\.\d{1,3})?$/u.test(text)) throw new InvalidArgumentError(`days are a number, 0 for ever, got ${text}`);
  return Number(text) * 24 * 3_600_000;
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError(`a port is a whole number from 0 to 65535, got ${text}`);
  return port;
}
