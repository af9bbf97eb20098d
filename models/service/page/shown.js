// Places of the pictures among those on the page, and which of them are shown in which order.
import { onChange, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */
/** @typedef {keyof typeof orders} Order */

/** Percentile, and how many are better and worse. @type {Map<Picture, { percentile: number, better: number, worse: number }>} */
let places = new Map();

onChange(() => {
  places = placesOf(state.pictures);
});

/**
 * Places by mid-rank: the percentile is 100 · (b + t / 2) / n, where b of the n scores lie below and t are equal, itself among them.
 * `better` and `worse` put equal scores in the order in which they came.
 * @param {readonly Picture[]} pictures
 */
function placesOf(pictures) {
  const scoreOf = (/** @type {Picture | undefined} */ picture) => picture?.score?.score ?? Number.NaN;
  const rising = pictures.filter(({ score }) => score).sort((a, b) => scoreOf(a) - scoreOf(b) || b.id - a.id);
  const found = new Map();
  for (let from = 0, to = 0; from < rising.length; from = to) {
    while (to < rising.length && scoreOf(rising[to]) === scoreOf(rising[from])) to++;
    const percentile = (50 * (from + to)) / rising.length;
    for (let i = from; i < to; i++) found.set(rising[i], { percentile, better: rising.length - 1 - i, worse: i });
  }
  return found;
}

/** Its place among the scored pictures of the page, 0 to 100, the best near 100; undefined without a score or when it is alone. @param {Picture} picture */
export function percentileOf(picture) {
  return places.size > 1 ? places.get(picture)?.percentile : undefined;
}

/** How many pictures have a place. */
export function placed() {
  return places.size;
}

const names = new Intl.Collator(undefined, { numeric: true });
/** @typedef {(a: Picture, b: Picture) => number} Compare */
const byScore = /** @type {Compare} */ ((a, b) => (b.score?.score ?? 0) - (a.score?.score ?? 0));
/** The narrower the interval, the surer a score; where models have none, the more their confidence says. @param {Picture} picture */
const sureOf = ({ score }) => (score?.interval ? score.interval.low - score.interval.high : (score?.confidence ?? 0));
const bySureness = /** @type {Compare} */ ((a, b) => sureOf(b) - sureOf(a));
const orders = {
  best: byScore,
  worst: /** @type {Compare} */ ((a, b) => byScore(b, a)),
  sure: bySureness,
  unsure: /** @type {Compare} */ ((a, b) => bySureness(b, a)),
  name: /** @type {Compare} */ ((a, b) => names.compare(a.name, b.name)),
  added: () => 0,
};

/** What is shown, in its order: by score and sureness those that have none come last. @returns {Picture[]} */
export function shown() {
  return shownBursts().flat();
}

/**
 * The same by burst: each where its first picture would be, in the order of its ranks. A picture without a burst, or alone of it, is one of its own.
 * @returns {Picture[][]}
 */
export function shownBursts() {
  const all = inOrder();
  if (!state.grouping) return all.map((picture) => [picture]);
  const bursts = Map.groupBy(all, (picture) => picture.burst?.group ?? picture);
  return [...bursts.values()].map((each) => each.sort((a, b) => (a.burst?.rank ?? 0) - (b.burst?.rank ?? 0)));
}

/** @returns {Picture[]} */
function inOrder() {
  const compare = orders[state.order];
  const needsScore = state.order !== "name" && state.order !== "added";
  const last = (/** @type {Picture} */ { stage }) => (stage === "scored" ? 0 : stage === "failed" ? 1 : 2);
  return state.pictures
    .filter(passes)
    .sort((a, b) => (needsScore ? last(a) - last(b) : 0) || compare(a, b) || a.id - b.id);
}

/** Whether the filters and the bar of the histogram let a picture through. @param {Picture} picture */
function passes(picture) {
  const { between, filter } = state;
  const { name, from, to, end, share, decision } = filter;
  if (name && !picture.name.toLowerCase().includes(name.toLowerCase())) return false;
  if (decision && decision !== (picture.choice?.decision ?? "none")) return false;
  if (!between && from === undefined && to === undefined && !end) return true;
  const score = picture.score?.score;
  if (score === undefined) return false;
  if (between && !(score >= between[0] && score < between[1])) return false;
  if ((from !== undefined && score < from) || (to !== undefined && score > to)) return false;
  const place = places.get(picture);
  if (!end) return true;
  const most = Math.ceil((share / 100) * places.size);
  return place !== undefined && place[end === "best" ? "better" : "worse"] < most;
}
