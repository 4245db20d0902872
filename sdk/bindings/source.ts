// Whatever a view may be given: a match that is open, or one that opens when it is looked at.
import type { Match } from "../index.ts";
import type { LazyMatch } from "./lazy-match.ts";
import { listenTo, openView, type MatchView, type ViewSource } from "./match-view.ts";

/** What views of every framework take: an open match, or a {@link LazyMatch}. */
export type MatchLike<State, Action> = Match<State, Action> | LazyMatch<State, Action>;

/** Match → its source, so that a match has the same one in every render. */
const sources = new WeakMap<object, object>();

/** The view of a match as one value that changes. The same source for the same match; an open match is not left when nobody looks any more. */
export function viewOf<State, Action>(match: MatchLike<State, Action>): ViewSource<State, Action> {
  if (!("play" in match)) return match;
  // Only this function writes here, and always the source of that very match.
  const known = sources.get(match) as ViewSource<State, Action> | undefined;
  if (known !== undefined) return known;
  const source = sourceOf(match);
  sources.set(match, source);
  return source;
}

function sourceOf<State, Action>(match: Match<State, Action>): ViewSource<State, Action> {
  let view: MatchView<State, Action> | undefined;
  const get = (): MatchView<State, Action> => (view = openView(match, view));
  const listen = (listener: () => void): (() => void) => {
    let seen = get();
    return listenTo(match, () => {
      if (get() === seen) return;
      seen = get();
      listener();
    });
  };
  return {
    get,
    listen,
    subscribe: (listener) => {
      const off = listen(() => listener(get()));
      listener(get());
      return off;
    },
  };
}
