// What the page knows: pictures, their scores, and what was chosen.

/** @typedef {{ score: number, standardDeviation?: number, confidence?: number, class?: number, classProbability?: number, histogram?: number[], reasons?: { reason: string, probability: number }[], interval?: { low: number, high: number, level: number }, typicality?: { share: number, word: string }, range: [number, number], width: number, height: number, model: string, milliseconds: number, index: number, name: string }} Score */
/** @typedef {{ status: number, code: string, title: string, detail: string, advice?: string }} Problem */
/** @typedef {{ id: number, file: File, name: string, stage: "waiting" | "sent" | "scored" | "failed", score?: Score, problem?: Problem, url?: string, choice?: Choice | undefined, look?: unknown, burst?: Burst | undefined }} Picture */
/** Its place in a burst of several pictures, and why. @typedef {{ group: number, size: number, rank: number, words: string }} Burst */
/** What a person decided; `stars` is 0 where none were given. @typedef {{ decision: "keep" | "reject", stars: number }} Choice */
/** @typedef {{ name: string, range: [number, number], backbone: string, crop: number, tiles: number, ready: boolean }} Model */

/** What the service allows in a request. @type {{ maxBodyBytes: number, maxPictures: number, maxQueue: number }} */
export const limits = JSON.parse(document.getElementById("limits")?.textContent ?? "{}");

/** @typedef {{ name: string, from?: number, to?: number, end: "" | "best" | "worst", share: number, decision: "" | "keep" | "reject" | "none" }} Filter */

/** Lets all pictures through. @returns {Filter} */
export function noFilter() {
  return { name: "", end: "", share: 10, decision: "" };
}

export const state = {
  /** @type {Picture[]} in the order in which they came */
  pictures: [],
  /** @type {Model | undefined} */
  model: undefined,
  /** @type {Picture[]} two at most, the one chosen last at the end */
  chosen: [],
  /** @type {import("./shown.js").Order} */
  order: "best",
  /** Only scores from here to there are shown. @type {[number, number] | undefined} */
  between: undefined,
  filter: noFilter(),
  /** Whether bursts are put together. */
  grouping: true,
  paused: false,
  /** What the service makes one wait for. */
  notice: "",
};

/** @type {(() => void)[]} */
const listeners = [];
let isComing = false;

/** Calls `listener` soon after changes, once for many. @param {() => void} listener */
export function onChange(listener) {
  listeners.push(listener);
}

/** Says that something has changed. */
export function changed() {
  if (isComing) return;
  isComing = true;
  setTimeout(() => {
    isComing = false;
    for (const listener of listeners) listener();
  }, 80);
}

let nextId = 0;

/** @param {readonly { file: File, name: string }[]} files */
export function addPictures(files) {
  for (const { file, name } of files) state.pictures.push({ id: nextId++, file, name, stage: "waiting" });
  changed();
}

/** The address of a picture inside the page, for the elements that show it. @param {Picture} picture */
export function addressOf(picture) {
  picture.url ??= URL.createObjectURL(picture.file);
  return picture.url;
}

export function forgetPictures() {
  for (const { url } of state.pictures) if (url) URL.revokeObjectURL(url);
  state.pictures = [];
  state.chosen = [];
  state.between = undefined;
  changed();
}

/** Chooses a picture for comparison or lets it go; of three the first goes. @param {Picture} picture */
export function choose(picture) {
  const others = state.chosen.filter((other) => other !== picture);
  state.chosen = others.length < state.chosen.length ? others : [...others, picture].slice(-2);
  changed();
}

/** A number on the scale of scores, as many digits as the scale deserves. @param {number} value */
export function scoreText(value) {
  const [low, high] = state.model?.range ?? [0, 100];
  return value.toFixed(Math.min(6, Math.max(0, 3 - Math.ceil(Math.log10(high - low)))));
}

/** A score with where people's opinion lies, where the model says so: 58 (45 to 70). @param {Score} score */
export function scoreWords({ score, interval }) {
  return interval ? `${rounded(score)} (${intervalText(interval)})` : scoreText(score);
}

/** @param {{ low: number, high: number }} interval */
export function intervalText({ low, high }) {
  return `${rounded(low)} to ${rounded(high)}`;
}

/** In no more digits than an interval can tell. @param {number} value */
function rounded(value) {
  const [low, high] = state.model?.range ?? [0, 100];
  return value.toFixed(Math.min(6, Math.max(0, 2 - Math.round(Math.log10(high - low)))));
}

/** What is to be said of a picture that is not like known photographs. @param {Score} score @returns {string[]} */
export function typicalityWords({ typicality }) {
  if (!typicality || typicality.word === "typical") return [];
  return [typicality.word === "unusual" ? "unusual picture" : "unlike known photographs"];
}

/** How sure a score is, as far as the model says. @param {Score} score */
export function sureness({ standardDeviation, confidence, class: best, classProbability, interval, ...score }) {
  const words = typicalityWords(/** @type {Score} */ (score));
  // The interval stands beside the score.
  if (interval && best === undefined) return words;
  return [...surenessOf({ standardDeviation, confidence, class: best, classProbability }), ...words];
}

/** @param {Pick<Score, "standardDeviation" | "confidence" | "class" | "classProbability">} score */
function surenessOf({ standardDeviation, confidence, class: best, classProbability }) {
  const spread = standardDeviation === undefined ? [] : [`± ${scoreText(standardDeviation)}`];
  if (best !== undefined) return [...spread, `class ${best}, ${percent(classProbability ?? 0)} sure`];
  return confidence === undefined ? spread : [...spread, `${percent(confidence)} sure`];
}

/** A decision in words. @param {Choice | undefined} choice */
export function choiceWords(choice) {
  if (!choice) return "undecided";
  const stars = choice.stars ? `, ${choice.stars} ${choice.stars === 1 ? "star" : "stars"}` : "";
  return (choice.decision === "keep" ? "kept" : "rejected") + stars;
}

/** The place of a picture in its burst, and why; empty where it has none. @param {Picture} picture */
export function burstWords({ burst }) {
  if (!burst || !state.grouping) return "";
  return burst.rank === 1 ? burst.words : `${burst.rank} of ${burst.size}: ${burst.words}`;
}

/** What most likely lowers a score, in words; empty where nothing is told. @param {Score} score */
export function reasonWords({ reasons = [] }) {
  return reasons.map(({ reason }) => reason.replace("-", " ")).join(", ");
}

/** @param {number} share 0..1 */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
