// The command line as a value.
import { parseArgs } from "node:util";
import { InvalidArgumentError } from "../base/index.ts";
import type { ServerOptions } from "./server.ts";

/** What `--help` prints. */
export const USAGE = `flotilla-server [--port 8080] [--host 127.0.0.1] [--static DIR] [--origin URL]... [--witness]

  --port    port to listen on; without it, 8080 or the next free one
  --host    address to listen on; 0.0.0.0 opens it to the network
  --static  folder of pages to serve; default: the demo beside this file
  --origin  a page's origin that may use the signaling; repeatable; "any" for all
  --witness also vote in groups that ask for it, as a voter that never sees a move: a match of two survives the crash of either
  --help    this text
`;

const FURTHER_PORTS = 20;

/** Reads the arguments; "help" when asked for it. Throws `InvalidArgumentError` (or Node's own error) for what it does not know. */
export function readArguments(args: readonly string[], defaultStaticDir: string | undefined): ServerOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      host: { type: "string" },
      static: { type: "string" },
      origin: { type: "string", multiple: true },
      witness: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return "help";
  const origins = values.origin ?? [];
  return {
    ...(values.port === undefined ? { furtherPorts: FURTHER_PORTS } : { port: readPort(values.port) }),
    host: values.host,
    staticDir: values.static ?? defaultStaticDir,
    origins: origins.includes("any") ? "any" : origins,
    ...(values.witness === true ? { witness: true } : {}),
  };
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError(`a port is a whole number from 0 to 65535, got ${text}`);
  return port;
}
