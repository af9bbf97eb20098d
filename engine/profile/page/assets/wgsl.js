import { element } from "./dom.js";

const tokens =
  /(\/\/.*)|(@\w+)|\b(alias|break|case|const|const_assert|continue|default|diagnostic|else|enable|fn|for|if|let|loop|override|requires|return|struct|switch|var|while|true|false)\b|\b(u32|i32|f32|f16|bool|atomic|array|ptr|vec[234][fiuh]?|mat[234]x[234][fh]?)\b|\b(0x[0-9a-fA-F]+[iu]?|\d+\.?\d*(?:[eE][-+]?\d+)?[fhiu]?)\b/g;
const kinds = ["comment", "attribute", "keyword", "type", "number"];

/** Lines of WGSL with numbers before them. @param {string} source */
export function sourceView(source) {
  const lines = source.replace(/\n$/, "").split("\n");
  return element(
    "ol",
    { class: "source", style: `--digits:${String(lines.length).length}` },
    ...lines.map((line, index) => element("li", { "data-line": index + 1 }, ...parts(line))),
  );
}

/** Lines of assembly; those of the hottest loop stand out. @param {string} text @param {readonly number[]} hot from 0 */
export function assemblyView(text, hot) {
  const lines = text.replace(/\n$/, "").split("\n");
  const marked = new Set(hot);
  return element(
    "ol",
    { class: "source", style: `--digits:${String(lines.length).length}` },
    ...lines.map((line, index) =>
      element("li", { "data-line": index + 1, class: marked.has(index) ? "hot" : undefined }, line || "\u200b"),
    ),
  );
}

/** Number of the line that declares something: a variable, constant or function; 0 where none does. @param {string} source @param {string} name */
export function lineOf(source, name) {
  if (!/^\w+$/.test(name)) return 0;
  const declared = new RegExp(`\\b(?:var(?:<[^>]*>)?|const|override|fn|let)\\s+${name}\\b`);
  return 1 + source.split("\n").findIndex((line) => declared.test(line.replace(/\/\/.*/, "")));
}

/** Number of the line of the entry point. @param {string} source @param {string} name  of it, where it is known */
export function entryLine(source, name) {
  const named = lineOf(source, name);
  if (named > 0) return named;
  const lines = source.split("\n");
  const at = lines.findIndex((line) => /@compute\b/.test(line.replace(/\/\/.*/, "")));
  return at < 0 ? 0 : 1 + at;
}

/** Brings a line of a box into sight and marks it. @param {HTMLElement | null} box @param {number} number */
export function showLine(box, number) {
  const line = /** @type {HTMLElement | null} */ (box?.querySelector(`[data-line="${number}"]`) ?? null);
  if (!box || !line) return;
  for (const other of box.querySelectorAll(".shown")) other.classList.remove("shown");
  line.classList.add("shown");
  box.scrollTop = line.offsetTop - box.offsetTop - box.clientHeight / 3;
  box.scrollIntoView({ block: "nearest" });
}

/** @param {string} line */
function parts(line) {
  /** @type {(string | HTMLElement)[]} */
  const result = [];
  let at = 0;
  for (const match of line.matchAll(tokens)) {
    const kind = kinds[match.slice(1).findIndex((group) => group !== undefined)];
    result.push(line.slice(at, match.index), element("span", { class: kind }, match[0]));
    at = match.index + match[0].length;
  }
  // A line without text would have no height.
  result.push(line.slice(at) || (at === 0 ? "\u200b" : ""));
  return result;
}
