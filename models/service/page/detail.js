// One picture closely: large, with its heat map, its predicted distribution and its figures.
import { explain, ServiceError } from "./api.js";
import { distribution } from "./charts.js";
import { byId, element, setText } from "./dom.js";
import { focusOn } from "./grid.js";
import { boundsOf, drawHeat, scoreAt } from "./heat.js";
import { percentileOf, placed, shown } from "./shown.js";
import {
  burstWords,
  choiceWords,
  choose,
  intervalText,
  onChange,
  percent,
  scoreText,
  scoreWords,
  state,
} from "./state.js";
import { newView, viewer } from "./viewer.js";

/** @typedef {import("./state.js").Picture} Picture */

const dialog = /** @type {HTMLDialogElement} */ (byId("detail"));
const heatSwitch = /** @type {HTMLInputElement} */ (byId("heat"));
const opacity = /** @type {HTMLInputElement} */ (byId("heat-opacity"));
/** @type {WeakMap<import("./state.js").Score, import("./api.js").QualityMap>} */
const maps = new WeakMap();

/** @type {{ picture: Picture, canvas: HTMLCanvasElement, image: HTMLImageElement, leave: AbortController, stage: string, at: number } | undefined} */
let open;

export function startDetail() {
  byId("detail-close").addEventListener("click", () => dialog.close());
  byId("detail-before").addEventListener("click", () => step(-1));
  byId("detail-next").addEventListener("click", () => step(1));
  byId("detail-choose").addEventListener("click", () => {
    if (open) choose(open.picture);
    showChoice();
  });
  heatSwitch.addEventListener("change", () => void showHeat());
  opacity.addEventListener("input", applyOpacity);
  onChange(() => {
    showChoice();
    if (!open || open.stage === open.picture.stage) return;
    open.stage = open.picture.stage;
    fillFacts(open.picture);
    void showHeat();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target === opacity) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("close", () => {
    open?.leave.abort();
    const next = open && neighbour(open, 0);
    if (next) focusOn(next);
    open = undefined;
    byId("detail-view").replaceChildren();
  });
}

/** @param {Picture} picture */
export function openDetail(picture) {
  open?.leave.abort();
  const { frame, canvas, image } = viewer(picture, newView());
  open = { picture, canvas, image, leave: new AbortController(), stage: picture.stage, at: shown().indexOf(picture) };
  byId("detail-view").replaceChildren(frame);
  setText(byId("detail-name"), picture.name);
  frame.addEventListener("pointermove", showValue);
  frame.addEventListener("pointerleave", () => setText(byId("heat-here"), ""));
  setText(byId("detail-place"), `${open.at + 1} of ${shown().length}`);
  fillFacts(picture);
  showChoice();
  if (!dialog.open) dialog.showModal();
  void showHeat();
}

/** @param {number} by */
function step(by) {
  const next = open && neighbour(open, by);
  if (next) openDetail(next);
}

/** The picture so many places away; where the open one is no longer shown, its place counts. @param {{ picture: Picture, at: number }} from @param {number} by */
function neighbour({ picture, at }, by) {
  const all = shown();
  const now = all.indexOf(picture);
  return now < 0 ? all[Math.min(by < 0 ? at - 1 : at, all.length - 1)] : all[now + by];
}

/** The picture that is looked at closely. */
export function openPicture() {
  return open?.picture;
}

function showChoice() {
  const chosen = open !== undefined && state.chosen.includes(open.picture);
  byId("detail-choose").setAttribute("aria-pressed", String(chosen));
  const choice = open?.picture.choice;
  for (const decision of ["keep", "reject"])
    byId(`detail-${decision}`).setAttribute("aria-pressed", String(choice?.decision === decision));
  setText(byId("detail-decision"), choiceWords(choice));
}

/** @param {Picture} picture */
function fillFacts(picture) {
  const { file, score, problem, stage } = picture;
  const facts = byId("detail-facts");
  if (!score) {
    const words = problem
      ? [problem.detail, problem.advice ?? ""].join(" ").trim()
      : stage === "sent"
        ? "Being scored."
        : "Waiting.";
    facts.replaceChildren(element("p", { class: problem ? "bad" : "" }, words));
    return;
  }
  const row = (/** @type {string} */ name, /** @type {string} */ value) => [
    element("dt", {}, name),
    element("dd", {}, value),
  ];
  const [low, high] = score.range;
  const { standardDeviation: spread, confidence, class: best, interval, typicality } = score;
  const percentile = percentileOf(picture);
  facts.replaceChildren(
    element("p", { class: "big" }, scoreWords(score), element("small", {}, ` of ${low} to ${high}, higher is better`)),
    ...distribution(score),
    element(
      "dl",
      {},
      ...(interval
        ? row(`${percent(interval.level)} interval`, `${intervalText(interval)}: where people's opinion lies`)
        : []),
      ...(percentile === undefined
        ? []
        : row("Percentile", `${Math.round(percentile)} among the ${placed()} pictures scored on this page`)),
      ...(burstWords(picture) ? row("Burst", burstWords(picture)) : []),
      ...(typicality ? row("Kind", kindText(typicality)) : []),
      ...(spread === undefined ? [] : row("Spread", `± ${scoreText(spread)} (standard deviation)`)),
      ...(confidence === undefined ? [] : row("Confidence", percent(confidence))),
      ...(best === undefined ? [] : row("Class", `${best}, with probability ${percent(score.classProbability ?? 0)}`)),
      ...(score.reasons?.length ? row("Lowered by", reasonsText(score.reasons)) : []),
      ...row("Pixels", `${score.width} × ${score.height}`),
      ...row("File", sizeText(file.size)),
      ...row("Model", score.model),
    ),
  );
}

/** @param {{ reason: string, probability: number }[]} reasons */
function reasonsText(reasons) {
  const one = (/** @type {{ reason: string, probability: number }} */ { reason, probability }) =>
    `${reason.replace("-", " ")} (probability ${percent(probability)})`;
  return `${reasons.map(one).join(", ")}, as far as the pixels tell`;
}

/** @param {{ share: number, word: string }} typicality */
function kindText({ share, word }) {
  const than = `more typical than ${percent(share)} of known photographs`;
  return word === "unlike" ? `unlike known photographs (${than}): the score means little` : `${word}, ${than}`;
}

/** @param {number} bytes */
function sizeText(bytes) {
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Shows or hides the heat map of the open picture, asking for it where it is not known. */
async function showHeat() {
  if (!open) return;
  const { picture, canvas, leave } = open;
  const note = byId("heat-note");
  canvas.hidden = true;
  byId("heat-legend").hidden = true;
  setText(note, "");
  heatSwitch.disabled = !picture.score;
  if (!heatSwitch.checked || !picture.score) return;
  let map = maps.get(picture.score);
  if (!map) {
    setText(note, "Scoring the parts of the picture…");
    try {
      map = await explain(picture, leave.signal);
    } catch (error) {
      if (leave.signal.aborted) return;
      setText(note, error instanceof ServiceError ? error.message : "The service cannot be reached.");
      return;
    }
    maps.set(picture.score, map);
  }
  if (open?.picture !== picture || leave.signal.aborted || !heatSwitch.checked) return;
  const [low, high] = boundsOf(map);
  if (map.rows * map.columns === 1) {
    setText(note, `The model sees the whole picture at once (${map.tile} pixels): there are no parts to tell apart.`);
    return;
  }
  drawHeat(canvas, map);
  canvas.hidden = false;
  applyOpacity();
  setText(byId("heat-low"), scoreText(low));
  setText(byId("heat-high"), scoreText(high));
  byId("heat-legend").hidden = false;
  setText(
    note,
    `${map.rows * map.columns} parts of ${map.tile} × ${map.tile} pixels, scored from ${scoreText(low)} to ${scoreText(high)}.`,
  );
}

function applyOpacity() {
  if (open) open.canvas.style.opacity = String(Number(opacity.value) / 100);
}

/** The score of the part under the pointer. @param {PointerEvent} event */
function showValue({ clientX, clientY }) {
  if (!open?.picture.score || open.canvas.hidden) return;
  const map = maps.get(open.picture.score);
  if (!map) return;
  const box = open.image.getBoundingClientRect();
  const fit = Math.min(box.width / map.width, box.height / map.height);
  const x = (clientX - box.left - (box.width - fit * map.width) / 2) / fit;
  const y = (clientY - box.top - (box.height - fit * map.height) / 2) / fit;
  const inside = x >= 0 && y >= 0 && x < map.width && y < map.height;
  setText(byId("heat-here"), inside ? `here ${scoreText(scoreAt(map, x, y))}` : "");
}
