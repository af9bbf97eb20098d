// Results as files.
import { element } from "./dom.js";
import { shown } from "./shown.js";
import { state } from "./state.js";

/** A field of CSV (RFC 4180). @param {unknown} value */
function field(value) {
  const text = value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A line of CSV with its end. @param {readonly unknown[]} row */
export function csvLine(row) {
  return `${row.map(field).join(",")}\r\n`;
}

/** What is shown, in its order, numbers as the service gave them. */
export function csvText() {
  const all = finished();
  const classes = /** @type {const} */ (["class", "classProbability"]);
  const ofScore = /** @type {const} */ ([
    ...["score", "standardDeviation", "confidence"],
    ...(all.some(({ score }) => score?.class !== undefined) ? classes : []),
    ...["width", "height", "model"],
  ]);
  const trust = all.some(({ score }) => score?.interval || score?.typicality)
    ? ["intervalLow", "intervalHigh", "typicality", "typicalityShare"]
    : [];
  /** @param {import("./state.js").Score | undefined} score */
  const trustOf = (score) => {
    const { interval, typicality } = score ?? {};
    return trust.length > 0 ? [interval?.low, interval?.high, typicality?.word, typicality?.share] : [];
  };
  const withReasons = all.some(({ score }) => score?.reasons);
  const reasonsOf = (/** @type {import("./state.js").Score | undefined} */ score) =>
    withReasons ? [(score?.reasons ?? []).map(({ reason }) => reason).join(";")] : [];
  const heads = ["name", ...ofScore, ...trust, ...(withReasons ? ["reasons"] : []), "error"];
  const rows = all.map(({ name, score, problem }) => [
    ...[name, ...ofScore.map((key) => score?.[key])],
    ...[...trustOf(score), ...reasonsOf(score), problem?.detail],
  ]);
  return [heads, ...rows].map(csvLine).join("");
}

/** The same as the service's own answer would be. */
export function jsonText() {
  const pictures = finished().map(({ name, score, problem }, index) =>
    score ? { ...score, index, name } : { index, name, error: problem },
  );
  const { name, range } = state.model ?? {};
  return `${JSON.stringify({ model: name, range, direction: "higher is better", pictures }, null, 2)}\n`;
}

function finished() {
  return shown().filter(({ stage }) => stage === "scored" || stage === "failed");
}

/** @param {string} name @param {string} type @param {string | Uint8Array<ArrayBuffer>} content */
export function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  // The browser takes it after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
