// folder → the sdk folders it may import (bindings stands above them all: it sees the front door, sdk/index.ts, alone). Mirrored in ARCHITECTURE.md; a house test compares the two.
module.exports = {
  base: [],
  raft: ["base"],
  seam: ["base"],
  storage: ["base"],
  platform: ["base"],
  identity: ["durable", "storage", "base"],
  durable: ["storage", "base"],
  replica: ["raft", "seam", "storage", "base"],
  session: ["seam", "replica", "durable", "storage", "base"],
  client: ["seam", "replica", "session", "durable", "storage", "platform", "base"],
  server: ["node", "identity", "seam", "raft", "replica", "session", "game", "cluster", "storage", "base"],
  node: ["seam", "identity", "storage", "base"],
  game: ["replica", "base"],
  bindings: [],
  cluster: ["seam", "durable", "platform", "base"],
};
