// The Vue composable. The one file that knows Vue.
import { getCurrentInstance, getCurrentScope, onMounted, onScopeDispose, shallowRef, type ShallowRef } from "vue";
import type { MatchView } from "../match-view.ts";
import { viewOf, type MatchLike } from "../source.ts";

/**
 * The view of a match as a ref. Takes an open match, or a `lazyMatch` made outside of components, which opens when the first component that uses it is
 * mounted and is left when the last has gone. In a component it listens from `mounted` on, so that rendering on a server opens nothing; in an effect
 * scope of its own, from now on. Ends with the component or the scope; without either it never ends.
 */
export function useMatchRef<State, Action>(match: MatchLike<State, Action>): Readonly<ShallowRef<MatchView<State, Action>>> {
  const source = viewOf(match);
  const view = shallowRef(source.get());
  let off = (): void => {};
  const begin = (): void => {
    off = source.listen(() => (view.value = source.get()));
    view.value = source.get();
  };
  if (getCurrentInstance() === null) begin();
  else onMounted(begin);
  if (getCurrentScope() !== undefined) onScopeDispose(() => off());
  return view;
}
