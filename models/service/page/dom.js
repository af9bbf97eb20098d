// Elements are made here and texts are set as text, so that no name of a picture is ever read as markup.

/** @typedef {string | Node} Child */

/**
 * An element: attributes by name, `on…` as listeners, false and undefined left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, unknown>} [attributes] @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  fill(node, attributes);
  node.append(...children);
  return node;
}

/** The same in SVG. @param {string} tag @param {Record<string, unknown>} [attributes] @param {Node[]} children @returns {SVGElement} */
export function drawing(tag, attributes = {}, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS("http://www.w3.org/2000/svg", tag));
  fill(node, attributes);
  node.append(...children);
  return node;
}

/** @param {Element} node @param {Record<string, unknown>} attributes */
function fill(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** The element of the page with that id. @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Sets a text where it is another one, so that screen readers are not told twice. @param {Element} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
