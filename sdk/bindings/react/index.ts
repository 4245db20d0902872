// Matches in React.
export { lazyMatch, LINGER_MS, type LazyMatch, type LazyMatchOptions } from "../lazy-match.ts";
export type { MatchView, ViewSource } from "../match-view.ts";
export type { MatchLike } from "../source.ts";
export { useMatch } from "./use-match.ts";
