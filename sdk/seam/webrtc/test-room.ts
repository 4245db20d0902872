// What tests of links in memory share: names, identities on paper, and the seam contract kept in worlds of their own.
import { bytesEqual, concatBytes, digest, peerId, utf8, type PeerId } from "../../base/index.ts";
import type { Seam } from "../seam.ts";
import type { SeamHarness } from "../seam.contract.ts";
import type { LinkIdentity } from "./handshake.ts";

export const ids = (n: number): PeerId[] => Array.from({ length: n }, (_, i) => peerId(`peer-${i}`));

/** Cryptography of the same shape that settles in microtasks: who knows the name of an id can "sign" for it, so tests play every thief. */
export function identityOf(id: PeerId): LinkIdentity {
  const publicKey = utf8(`key of ${id}`);
  return {
    publicKey,
    sign: async (bytes) => digest(concatBytes(publicKey, bytes), 32),
    verify: async (proof, bytes) => bytesEqual(proof.publicKey, utf8(`key of ${proof.peerId}`)) && bytesEqual(proof.signature, digest(concatBytes(proof.publicKey, bytes), 32)),
  };
}

interface Running {
  run(ms: number): Promise<void>;
}

/** Every group that `weave` opens lives in a world of its own, which has `settleMs` to find together. */
export function inWorlds<W extends Running>(weave: (n: number) => { readonly world: W; readonly seams: Seam[] }, settleMs: number): SeamHarness {
  const worlds = new Map<Seam, Running>();
  return {
    open: async (n) => {
      const { world, seams } = weave(n);
      await world.run(settleMs);
      seams.forEach((seam) => worlds.set(seam, world));
      return seams;
    },
    leave: async (seam) => {
      const closed = seam.close();
      await worlds.get(seam)?.run(3_000);
      await closed;
    },
    turn: async () => {
      for (const world of new Set(worlds.values())) await world.run(5);
    },
  };
}
