// A program that plays tic-tac-toe with whoever sent it an invitation: node bot.js LINK [--name Bot] [--folder DIR]
import { parseArgs } from "node:util";
import { openMatch } from "../../sdk/index.ts";
import { nodeOptions } from "../../sdk/node/index.ts";
import { findServer } from "../signaling.ts";
import { ticTacToe } from "../tic-tac-toe.ts";
import { moveFor } from "./bot-moves.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function run(link: string, name: string, folder: string | undefined): Promise<void> {
  const server = await findServer(link);
  if (server === undefined) throw new Error("the page of that link names no server, and a program meets tabs through one");
  const node = await nodeOptions({ folder });
  const { storage } = node;
  if (storage === "memory") say("nothing is kept: I come as somebody new");
  else say(storage.isNew ? (storage.note ?? "nobody has met me: I come as somebody new") : `I was here before, as ${storage.identity.peerId}`);
  const match = await openMatch({ game: ticTacToe, name, room: link, ...server, ...node });
  const stop = (): void => void match.leave().then(() => process.exit(0));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);

  let said = "";
  const tell = (line: string): void => {
    if (line !== said) say(line);
    said = line;
  };
  // One move at a time: until it is settled here the board does not show whose turn it will be.
  let isMoving = false;
  const look = async (): Promise<void> => {
    const { seat, selfId, phase, reason } = match.status.get();
    if (phase === "closed") return tell(`it is over: ${reason ?? "the match was closed"}`);
    tell(seat === undefined ? `I watch, as ${selfId}` : `I sit at ${seat}, as ${selfId}`);
    const move = seat === undefined || isMoving || phase !== "live" ? undefined : moveFor(match.confirmed.get(), seat);
    if (move === undefined) return;
    isMoving = true;
    const outcome = await match.play(move).catch(() => undefined);
    isMoving = false;
    if (outcome?.outcome === "committed") void look();
  };
  match.confirmed.listen(() => void look());
  match.status.listen(() => void look());
  void look();
}

const { values: { name = "Bot", folder }, positionals: [link] } = parseArgs({ allowPositionals: true, options: { name: { type: "string" }, folder: { type: "string" } } });
if (link === undefined) {
  process.stderr.write("which invitation? node bot.js LINK [--name Bot] [--folder DIR]\n");
  process.exitCode = 1;
} else {
  run(link, name, folder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
