// Matches in Vue.
export { lazyMatch, LINGER_MS, type LazyMatch, type LazyMatchOptions } from "../lazy-match.ts";
export type { MatchView, ViewSource } from "../match-view.ts";
export type { MatchLike } from "../source.ts";
export { useMatchRef } from "./use-match-ref.ts";
