// Elements are made here and texts are set as text, so that nothing of a profile is ever read as markup.

/** @typedef {string | number | Node | null | undefined | false} Child */

/**
 * An element: attributes by name, `on…` as listeners, false and undefined left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, unknown>} [attributes] @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in SVG. @param {string} tag @param {Record<string, unknown>} [attributes] @param {Child[]} children @returns {SVGElement} */
export function drawing(tag, attributes = {}, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS("http://www.w3.org/2000/svg", tag));
  return filled(node, attributes, children);
}

/** @template {HTMLElement | SVGElement} Node_ @param {Node_} node @param {Record<string, unknown>} attributes @param {Child[]} children */
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "style") node.style.cssText = String(value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false)
      node.append(String(child) === child ? child : asNode(child));
  }
  return node;
}

/** @param {string | number | Node} child */
function asNode(child) {
  return child instanceof Node ? child : String(child);
}

/** The element of the page with that id. @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** One of several choices as a row of buttons. @param {string} label @param {readonly string[]} choices @param {string} chosen @param {(choice: string) => void} choose */
export function choiceButtons(label, choices, chosen, choose) {
  const buttons = choices.map((choice) =>
    element(
      "button",
      {
        type: "button",
        "aria-pressed": String(choice === chosen),
        onclick: () => {
          for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === choice));
          choose(choice);
        },
      },
      choice,
    ),
  );
  return element(
    "div",
    { class: "choices", role: "group", "aria-label": label },
    element("span", {}, label),
    ...buttons,
  );
}

const tip = element("div", { id: "tip", role: "tooltip", hidden: true });

/** Shows lines beside the pointer; without lines, hides them. @param {{ clientX: number, clientY: number }} [at] @param {Child[]} lines */
export function showTip(at, ...lines) {
  if (!tip.isConnected) document.body.append(tip);
  tip.hidden = !at || lines.length === 0;
  if (!at || lines.length === 0) return;
  tip.replaceChildren(...lines.map((line) => element("div", {}, line)));
  const { width, height } = tip.getBoundingClientRect();
  const left = at.clientX + 14 + width > window.innerWidth ? at.clientX - 14 - width : at.clientX + 14;
  const top = at.clientY + 14 + height > window.innerHeight ? at.clientY - 14 - height : at.clientY + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

/** Calls `draw` with the width of an element now and whenever it changes. @param {HTMLElement} host @param {(width: number) => void} draw */
export function drawOnResize(host, draw) {
  let width = 0;
  const now = () => {
    const next = Math.floor(host.getBoundingClientRect().width);
    if (next === width || next === 0) return;
    width = next;
    draw(width);
  };
  new ResizeObserver(now).observe(host);
  now();
}
