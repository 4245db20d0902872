// Matches as views draw them, for any framework: plain JavaScript, and Svelte as it is.
export { lazyMatch, LINGER_MS, type LazyMatch, type LazyMatchOptions } from "./lazy-match.ts";
export type { MatchView, ViewSource } from "./match-view.ts";
export { viewOf, type MatchLike } from "./source.ts";
