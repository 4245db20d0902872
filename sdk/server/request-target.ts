// The path and the query of a request, cut by hand: `new URL("//x", base)` would read a host into it, and throws for some.

/** The two halves of a request target. */
export function requestTarget(url: string | undefined): { readonly path: string; readonly query: string } {
  const target = url ?? "/";
  const mark = target.indexOf("?");
  return mark < 0 ? { path: target, query: "" } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}
