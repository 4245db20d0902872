// The React hook. The one file that knows React.
import { useCallback, useSyncExternalStore } from "react";
import type { MatchView } from "../match-view.ts";
import { viewOf, type MatchLike } from "../source.ts";

/**
 * The view of a match, rendered again whenever it changes. Takes an open match, or a `lazyMatch` made outside of components, which opens when the first
 * component that uses it is mounted and is left when the last has gone. Safe in StrictMode and concurrent rendering; rendered on a server it is the view as it stands, and opens nothing.
 */
export function useMatch<State, Action>(match: MatchLike<State, Action>): MatchView<State, Action> {
  const source = viewOf(match);
  const listen = useCallback((changed: () => void) => source.listen(changed), [source]);
  const get = useCallback(() => source.get(), [source]);
  return useSyncExternalStore(listen, get, get);
}
