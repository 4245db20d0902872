// The layer table is the single source of the arrows; ARCHITECTURE.md quotes it and a house test compares the two.
const layers = require("./.layers.cjs");
const tests = "(\\.(test|contract|spec|test-d)|/test-room)\\.ts$";
const onlyIn = (name, file, pkg) => ({
  name, severity: "error", comment: `${pkg} has one importer, so that it can be patched or swapped in one place`,
  from: { path: "^(sdk|demo)/", pathNot: [file, tests] }, to: { path: `node_modules/${pkg}/` },
});
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphans", severity: "error", from: { orphan: true, path: "^sdk/", pathNot: ["\\.(test|contract|spec|test-d|d)\\.ts$", "^sdk/testing/"] }, to: {} },
    ...Object.entries(layers).map(([layer, allowed]) => ({
      name: `layer-${layer}`,
      comment: `sdk/${layer} may import only: ${allowed.join(", ") || "nothing"}`,
      severity: "error",
      from: { path: `^sdk/${layer}/`, pathNot: [tests] },
      to: { path: "^sdk/", pathNot: [`^sdk/(${[layer, ...allowed].join("|")})/`, ...(layer === "bindings" ? ["^sdk/index\\.ts$"] : [])] },
    })),
    { name: "game-sees-only-types", severity: "error", comment: "game may use replica's types and nothing it runs", from: { path: "^sdk/game/", pathNot: tests }, to: { path: "^sdk/replica/", dependencyTypesNot: ["type-only"] } },
    { name: "pure-core-has-no-dependencies", severity: "error", from: { path: "^sdk/raft/", pathNot: tests }, to: { dependencyTypes: ["npm", "npm-dev", "npm-peer", "core"] } },
    { name: "lower-layers-do-not-know-the-top", severity: "error", from: { path: "^sdk/[^/]+/", pathNot: ["^sdk/testing/", "^sdk/bindings/", tests] }, to: { path: "^sdk/(index|open-match|global)\\.ts$" } },
    { name: "cross-folder-through-the-door", severity: "error", from: { path: "^sdk/([^/]+)/", pathNot: [tests, "^sdk/testing/"] }, to: { path: "^sdk/([^/]+)/.+", pathNot: ["^sdk/$1/", "/index\\.ts$"] } },
    { name: "demo-through-the-front-door", severity: "error", from: { path: "^demo/", pathNot: tests }, to: { path: "^sdk/", pathNot: "^sdk/(index|node/index)\\.ts$" } },
    { name: "tests-are-leaves", severity: "error", from: { pathNot: tests }, to: { path: "\\.(test|spec|test-d)\\.ts$" } },
    { name: "no-dev-deps-in-sdk", severity: "error", from: { path: "^sdk/", pathNot: [tests, "^sdk/testing/", "^sdk/bindings/"] }, to: { dependencyTypes: ["npm-dev"] } },
    { name: "node-only-in-server-and-node", severity: "error", from: { path: "^sdk/", pathNot: ["^sdk/(server|node)/", "^sdk/testing/", tests] }, to: { dependencyTypes: ["core"] } },
    onlyIn("simple-peer-only-in-peer-link", "^sdk/seam/webrtc/peer-link\\.ts$", "simple-peer"),
    onlyIn("idb-keyval-only-in-indexeddb-byte-store", "^sdk/storage/indexeddb/indexeddb-byte-store\\.ts$", "idb-keyval"),
    onlyIn("yjs-only-in-presence", "^sdk/session/presence\\.ts$", "(yjs|y-protocols)"),
    onlyIn("lib0-only-in-codec", "^sdk/base/codec\\.ts$", "lib0"),
    onlyIn("noble-hashes-only-in-hash", "^sdk/(base/hash|seam/slow-hash|identity/soft-seal)\\.ts$", "@noble/hashes"),
    onlyIn("noble-curves-only-in-soft-keys-and-agreement", "^sdk/(identity/soft-keys|seam/relay/agreement)\\.ts$", "@noble/curves"),
    onlyIn("noble-ciphers-only-in-sealing", "^sdk/(seam/sealing|identity/soft-seal)\\.ts$", "@noble/ciphers"),
    onlyIn("nanostores-only-in-store", "^sdk/(game/store|open-match-live|open-match-types)\\.ts$", "nanostores"),
    onlyIn("react-only-in-its-binding", "^sdk/bindings/react/", "react"),
    onlyIn("vue-only-in-its-binding", "^sdk/bindings/vue/", "vue"),
    onlyIn("nats-core-is-brought-by-who-uses-it", "^$", "@nats-io"),
    onlyIn("classic-level-only-in-file-byte-store", "^sdk/node/file-byte-store\\.ts$", "classic-level"),
    onlyIn("uqr-only-in-the-demos-qr", "^demo/qr\\.ts$", "uqr"),
    onlyIn("ws-only-in-server-and-node", "^sdk/(server|node)/", "ws"),
  ],
  options: { tsConfig: { fileName: "tsconfig.json" }, tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" }, exclude: { path: "^dist/" } },
};
