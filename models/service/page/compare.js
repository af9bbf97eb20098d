// Two pictures side by side, zoomed and moved together.
import { distribution } from "./charts.js";
import { byId, element, setText } from "./dom.js";
import { scoreText, scoreWords, state, sureness } from "./state.js";
import { newView, viewer } from "./viewer.js";

/** @typedef {import("./state.js").Picture} Picture */

const compareDialog = /** @type {HTMLDialogElement} */ (byId("compare"));

export function startCompare() {
  byId("compare-close").addEventListener("click", () => compareDialog.close());
  compareDialog.addEventListener("close", () => byId("compare-sides").replaceChildren());
}

/** Opens the two that are chosen. */
export function openCompare() {
  const [a, b] = state.chosen;
  if (!a || !b) return;
  const view = newView();
  byId("compare-sides").replaceChildren(sideOf(a, view), sideOf(b, view));
  setText(byId("compare-words"), verdict(a, b));
  compareDialog.showModal();
}

/** @param {Picture} picture @param {import("./viewer.js").View} view */
function sideOf(picture, view) {
  const { frame } = viewer(picture, view);
  const { score, problem } = picture;
  const words = score
    ? [...sureness(score), `${score.width} × ${score.height}`].join(" · ")
    : (problem?.detail ?? "Not scored yet.");
  const figure = element("strong", { class: "score" }, score ? scoreWords(score) : "No score");
  const line = element("p", { class: "line" }, figure, element("span", { class: "aside" }, words));
  const rest = score ? distribution(score) : [];
  return element(
    "section",
    { class: "side", "aria-label": picture.name },
    frame,
    element("h3", {}, picture.name),
    line,
    ...rest,
  );
}

/** What the scores say of two pictures. @param {Picture} a @param {Picture} b */
function verdict(a, b) {
  if (!a.score || !b.score) return "One of them has no score.";
  const difference = Math.abs(a.score.score - b.score.score);
  const better = a.score.score > b.score.score ? a : b;
  const text = scoreText(difference);
  if (Number(text) === 0) return "Their scores are the same in the digits shown.";
  const [one, two] = [a.score.standardDeviation, b.score.standardDeviation];
  const known = one !== undefined && two !== undefined;
  const spread = known ? `; the spread of the difference is ${scoreText(Math.hypot(one, two))}` : "";
  return `${better.name} scores ${text} higher${spread}.`;
}
