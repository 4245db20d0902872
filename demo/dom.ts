// Typed access to the page's fixed parts and small builders. Not a framework: whoever calls keeps the elements.

/** The element with this id, checked to be of this kind. Throws when index.html and the code disagree. */
export function byId<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

/** What `element` may set: attributes by name, text content, children. */
interface Parts {
  readonly text?: string;
  readonly children?: readonly Node[];
  readonly [attribute: string]: string | readonly Node[] | undefined;
}

function fill<T extends Element>(made: T, parts: Parts): T {
  for (const [name, value] of Object.entries(parts)) {
    if (name === "text" && typeof value === "string") made.textContent = value;
    else if (typeof value === "string") made.setAttribute(name, value);
    else if (value !== undefined) made.append(...value);
  }
  return made;
}

/** A new HTML element. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, parts: Parts = {}): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), parts);
}

/** A new SVG element. */
export function drawing<K extends keyof SVGElementTagNameMap>(tag: K, parts: Parts = {}): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), parts);
}

/** Sets the text only when it differs, so that live regions do not repeat themselves. */
export function say(where: Element, text: string): void {
  if (where.textContent !== text) where.textContent = text;
}

/** Sets the attribute only when it differs, so that a redraw without news costs no restyling. */
export function put(where: Element, attribute: string, value: string): void {
  if (where.getAttribute(attribute) !== value) where.setAttribute(attribute, value);
}
