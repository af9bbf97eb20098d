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
    ...lines.map((line) => element("li", {}, ...parts(line))),
  );
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
