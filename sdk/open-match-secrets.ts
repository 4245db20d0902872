// Keeps a player's secret of the dice beside the match's other records, so that a reloaded tab can show what it has promised.
import { ByteReader, ByteWriter } from "./base/index.ts";
import type { DiceSecrets } from "./game/index.ts";
import type { ByteStore } from "./storage/index.ts";

/** One record: a tab plays one match at a time, and what another one promised is of no use here. */
const KEY = "dice/secret";
const GROUP_BYTES_MAX = 256;

/** The secret of this group's dice in this store; undefined where nothing is kept. */
export function secretsIn(store: ByteStore | undefined, groupId: string): DiceSecrets | undefined {
  if (store === undefined) return undefined;
  return {
    load: async () => {
      const bytes = await store.read(KEY);
      if (bytes === undefined) return undefined;
      const reader = new ByteReader(bytes);
      return reader.text(GROUP_BYTES_MAX) === groupId ? reader.bytes().slice() : undefined;
    },
    keep: (secret) => store.write([{ type: "put", key: KEY, value: new ByteWriter().text(groupId).bytes(secret).finish() }]),
  };
}
