// The state machine of the simulation: a few keys with read, write and compare-and-set, plus a digest of everything ever applied.
import { ByteReader, ByteWriter } from "../../base/index.ts";
import { hashBytes } from "./draw.ts";

/** What a client asks to be committed. Keys are small numbers; 0 is the value of a key never written. */
export type KvCommand =
  | { readonly kind: "write"; readonly key: number; readonly value: number }
  | { readonly kind: "cas"; readonly key: number; readonly expected: number; readonly value: number };

/** State after some commands. `digest` depends on all of them and their order. */
export interface KvState {
  readonly values: readonly number[];
  readonly digest: number;
}

/** Before the first command. */
export const EMPTY_KV: KvState = { values: [], digest: 0 };

/** A command as the bytes of a proposal; `padding` makes it larger. */
export function encodeCommand(command: KvCommand, padding = 0): Uint8Array {
  const writer = new ByteWriter().byte(command.kind === "write" ? 1 : 2).uint(command.key).uint(command.value);
  if (command.kind === "cas") writer.uint(command.expected);
  return writer.raw(new Uint8Array(padding)).finish();
}

/** The command in a proposal's bytes. */
export function decodeCommand(payload: Uint8Array): KvCommand {
  const reader = new ByteReader(payload);
  const kind = reader.byte();
  const key = reader.uint();
  const value = reader.uint();
  return kind === 1 ? { kind: "write", key, value } : { kind: "cas", key, value, expected: reader.uint() };
}

/** The next state; `took` says whether a compare-and-set (or write) had its effect. */
export function applyCommand(state: KvState, payload: Uint8Array): { readonly state: KvState; readonly took: boolean } {
  const command = decodeCommand(payload);
  const took = command.kind === "write" || (state.values[command.key] ?? 0) === command.expected;
  const values = [...state.values];
  while (values.length <= command.key) values.push(0);
  if (took) values[command.key] = command.value;
  return { state: { values, digest: hashBytes(payload, state.digest) >>> 0 }, took };
}

/** A snapshot's bytes. */
export function encodeKv(state: KvState): Uint8Array {
  const writer = new ByteWriter().uint(state.digest);
  writer.list(state.values, (value) => writer.uint(value));
  return writer.finish();
}

/** The state in a snapshot's bytes; throws `MalformedError` for others. */
export function decodeKv(bytes: Uint8Array): KvState {
  const reader = new ByteReader(bytes);
  const digest = reader.uint();
  const values = reader.list(() => reader.uint(), 1_000);
  reader.end();
  return { values, digest };
}
