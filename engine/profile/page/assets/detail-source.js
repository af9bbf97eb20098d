// Of the selected kernel: WGSL, assembly, the ways to their lines, and where a program recorded it.

import { element } from "./dom.js";
import { grouped } from "./format.js";
import { assemblyView, entryLine, showLine, sourceView } from "./wgsl.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./state.js").Kernel} Kernel */

/** @param {Kernel} kernel @param {string | undefined} source */
export function sourceParts({ source: hash }, source) {
  const head = element(
    "div",
    { class: "source-head" },
    element("h4", {}, "WGSL as compiled"),
    source === undefined ? null : copyButton(source),
  );
  const name = hash === "" ? "A transfer has no source." : `The profile does not hold the source ${hash}.`;
  if (source === undefined) return [head, element("p", { class: "empty" }, name)];
  const box = { class: "source-box", id: "wgsl", tabindex: 0, role: "region", "aria-label": "WGSL source" };
  return [head, element("div", box, sourceView(source))];
}

/** @param {NonNullable<Kernel["machineCode"]>[number]} code @param {Store} store */
export function assemblyParts({ gpu, assembly = "", hotLines = [] }, store) {
  const text = store.profile.assemblies?.[assembly];
  if (text === undefined) return [];
  const title = `Assembly for ${gpu}${hotLines.length > 0 ? ", its hottest loop marked" : ""}`;
  const box = { class: "source-box", id: `assembly-${gpu}`, tabindex: 0, role: "region", "aria-label": title };
  return [
    element("div", { class: "source-head" }, element("h4", {}, title), copyButton(text)),
    element("div", box, assemblyView(text, hotLines)),
  ];
}

/** Ways from the kernel to its entry point and to its assembly. @param {Kernel} kernel @param {string | undefined} source */
export function links({ machineCode = [], entryPoint = "main" }, source) {
  const entry = source === undefined ? 0 : entryLine(source, entryPoint);
  const ways = [
    ...(entry > 0 ? [lineLink(`WGSL, line ${entry}`, "wgsl", entry)] : []),
    ...machineCode.flatMap(({ gpu, assembly, hotLines = [] }) =>
      assembly ? [lineLink(`assembly for ${gpu}`, `assembly-${gpu}`, (hotLines[0] ?? 0) + 1)] : [],
    ),
  ];
  return ways.length > 0 ? element("p", { class: "ways" }, ...ways) : null;
}

/** @param {string} text @param {string} box @param {number} line */
export function lineLink(text, box, line) {
  const act = (/** @type {Event} */ event) => {
    event.preventDefault();
    showLine(document.getElementById(box), line);
  };
  return element("a", { href: `#${box}`, "data-box": box, "data-to": line, onclick: act }, text);
}

/** Where the program recorded it. @param {Kernel} kernel */
export function places({ stacks = [] }) {
  if (stacks.length === 0) return null;
  return element(
    "section",
    {},
    element("h4", {}, "Recorded at"),
    element(
      "ul",
      { class: "places" },
      ...stacks.map(({ calls, frames }) =>
        element(
          "li",
          { title: frames.join("\n") },
          `${frames[0] ?? "(unknown)"} `,
          element("small", {}, `${grouped(calls)} calls${frames.length > 1 ? `, from ${frames[1]}` : ""}`),
        ),
      ),
    ),
  );
}

/** @param {string} source */
function copyButton(source) {
  const button = element(
    "button",
    {
      type: "button",
      onclick: async () => {
        await navigator.clipboard.writeText(source);
        button.textContent = "copied";
        setTimeout(() => {
          button.textContent = "copy";
        }, 1500);
      },
    },
    "copy",
  );
  return button;
}
