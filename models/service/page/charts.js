// The histogram of the batch and the predicted distribution of a picture.
import { byId, drawing, element, setText } from "./dom.js";
import { changed, scoreText, state } from "./state.js";

/** Steps that people count in. @param {number} least */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((step) => step * power >= least) ?? 10);
}

/** Scores counted in even steps over what they span. @param {readonly number[]} scores @param {number} whole length of their scale */
export function binsOf(scores, whole) {
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  const step = niceStep(Math.max((most - least) / 24, whole / 1000));
  const first = Math.floor(least / step);
  const count = Math.floor(most / step) - first + 1;
  const bins = Array.from({ length: count }, (_, i) => ({
    from: (first + i) * step,
    to: (first + i + 1) * step,
    count: 0,
  }));
  for (const score of scores) {
    // Division may land on the wrong side of an edge by a rounding.
    const bin = bins.find(({ from, to }) => score >= from && score < to) ?? bins[bins.length - 1];
    if (bin) bin.count++;
  }
  return bins;
}

let drawn = "";

/** The batch in a histogram of which each bar shows its pictures only, and in some figures. */
export function updateSummary() {
  const scores = state.pictures.flatMap(({ score }) => (score ? [score.score] : []));
  byId("summary").hidden = scores.length === 0;
  if (scores.length === 0 || !state.model) return;
  const sorted = scores.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  setText(byId("figure-mean"), scoreText(mean));
  setText(byId("figure-median"), scoreText(at(0.5)));
  setText(byId("figure-span"), `${scoreText(at(0))} – ${scoreText(at(1))}`);
  const unsure = state.pictures.flatMap(({ score }) => score?.standardDeviation ?? []);
  byId("spread").hidden = unsure.length === 0;
  const spread = unsure.reduce((sum, value) => sum + value, 0) / Math.max(1, unsure.length);
  setText(byId("figure-spread"), `± ${scoreText(spread)}`);
  const bins = binsOf(scores, state.model.range[1] - state.model.range[0]);
  const now = JSON.stringify([bins, state.between]);
  if (now === drawn) return;
  drawn = now;
  drawBars(bins);
}

/** @param {ReturnType<typeof binsOf>} bins */
function drawBars(bins) {
  const host = byId("histogram");
  const hadFocus = [...host.children].indexOf(/** @type {Element} */ (document.activeElement));
  const most = Math.max(...bins.map(({ count }) => count));
  const bars = bins.map(({ from, to, count }) => {
    const pressed = state.between?.[0] === from && state.between[1] === to;
    const words = `${edgeText(from)} to ${edgeText(to)}: ${count} ${count === 1 ? "picture" : "pictures"}`;
    const bar = element("span", { class: "bar" });
    bar.style.height = `${(100 * count) / most}%`;
    const press = () => {
      state.between = pressed ? undefined : [from, to];
      changed();
    };
    const about = {
      type: "button",
      "aria-label": words,
      title: words,
      "aria-pressed": String(pressed),
      disabled: count === 0,
    };
    return element("button", { ...about, onclick: press }, bar);
  });
  host.replaceChildren(...bars);
  if (hadFocus >= 0) bars[Math.min(hadFocus, bars.length - 1)]?.focus();
  setText(byId("histogram-low"), edgeText(bins[0]?.from ?? 0));
  setText(byId("histogram-high"), edgeText(bins[bins.length - 1]?.to ?? 0));
}

/** @param {number} value */
function edgeText(value) {
  return String(Number(value.toPrecision(6)));
}

/**
 * What the network holds likely for a picture: a bar for each member of the score set or each class; nothing where it gives a
 * score alone.
 * @param {import("./state.js").Score} picture
 */
export function distribution({ histogram, range: [low, high], score, standardDeviation = 0, class: best }) {
  if (!histogram) return [];
  const [width, height] = [240, 72];
  const most = Math.max(...histogram);
  const each = width / histogram.length;
  const bars = histogram.map((share, i) =>
    drawing("rect", {
      x: i * each,
      width: each * 0.86,
      y: height * (1 - share / most),
      height: (height * share) / most,
    }),
  );
  // Members of the score set lie evenly from one end of the range to the other, in the middles of their bars; classes cut it.
  const ends = best === undefined ? each : 0;
  const x = ((score - low) / (high - low)) * (width - ends) + ends / 2;
  const mark = drawing("line", { x1: x, x2: x, y1: 0, y2: height, class: "mean" });
  const label = `Predicted distribution from ${low} to ${high}: mean ${scoreText(score)}, standard deviation ${scoreText(standardDeviation)}`;
  const svg = drawing(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    ...bars,
    mark,
  );
  const scale = element(
    "div",
    { class: "ends", "aria-hidden": "true" },
    element("span", {}, String(low)),
    element("span", {}, String(high)),
  );
  return [element("div", { class: "distribution" }, svg, scale)];
}
