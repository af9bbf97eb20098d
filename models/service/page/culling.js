// Keys and buttons that keep, reject and rate.
import { decide, forgetChoices, forgetsWhy, hasChoices, undo } from "./choices.js";
import { openPicture } from "./detail.js";
import { byId, setText } from "./dom.js";
import { focusedPicture, focusOn } from "./grid.js";
import { keepBest, keepOnly } from "./groups.js";
import { shown } from "./shown.js";
import { choiceWords, onChange, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

const keysDialog = /** @type {HTMLDialogElement} */ (byId("keys"));
const forgetDialog = /** @type {HTMLDialogElement} */ (byId("forget-dialog"));

export function startCulling() {
  document.addEventListener("keydown", onKey);
  byId("undo").addEventListener("click", undoLast);
  byId("show-keys").addEventListener("click", () => keysDialog.showModal());
  byId("keys-close").addEventListener("click", () => keysDialog.close());
  byId("forget").addEventListener("click", () => forgetDialog.showModal());
  byId("forget-cancel").addEventListener("click", () => forgetDialog.close());
  byId("forget-sure").addEventListener("click", () => {
    forgetChoices();
    forgetDialog.close();
    say("All choices are forgotten.");
    // The button that opened the dialog can no longer be pressed.
    byId("show-keys").focus();
  });
  for (const decision of /** @type {const} */ (["keep", "reject"])) {
    byId(`detail-${decision}`).addEventListener("click", () => {
      const picture = openPicture();
      if (picture) settle(picture, decision);
    });
  }
  byId("keep-best").addEventListener("click", () => {
    const [kept, rejected] = keepBest();
    say(`${kept} kept as the best of their bursts, ${rejected} rejected.`);
    // The button can no longer be pressed.
    byId("undo").focus();
  });
  onChange(showCounts);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = /** @type {Element} */ (event.target);
  const isIn = document.querySelector("dialog[open]")?.id ?? "";
  if (target.matches("input:not([type=checkbox]), select") || (isIn && isIn !== "detail")) return;
  if (event.altKey || state.pictures.length === 0) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey ? key === "z" && !event.shiftKey : key === "u") undoLast();
  else if (event.ctrlKey || event.metaKey) return;
  else if (key === "?") keysDialog.showModal();
  else if (isIn || focusedPicture()) {
    if (!act(key, openPicture() ?? focusedPicture())) return;
  } else if (target === document.body && ["arrowdown", "arrowright"].includes(key) && shown()[0]) {
    focusOn(/** @type {Picture} */ (shown()[0]));
  } else return;
  event.preventDefault();
}

/** @param {string} key @param {Picture | undefined} picture @returns {boolean} whether the key means something */
function act(key, picture) {
  if (!picture) return false;
  if (/^[1-5]$/.test(key)) {
    decide(picture, { decision: "keep", stars: Number(key) });
    tell(picture);
  } else if (key === "k") settle(picture, "keep");
  else if (key === "x") settle(picture, "reject");
  else if (key === "o") {
    const others = keepOnly(picture);
    if (others === undefined) say(`${picture.name} is of no burst.`);
    else say(`${picture.name}: kept, ${others} ${others === 1 ? "other" : "others"} of its burst rejected`);
  }
  // In a large picture the key shows all of it.
  else if (key === "0" && !openPicture()) {
    decide(picture, undefined);
    tell(picture);
  } else return false;
  return true;
}

/** Rejected pictures have no stars. @param {Picture} picture @param {"keep" | "reject"} decision */
function settle(picture, decision) {
  decide(picture, { decision, stars: decision === "keep" ? (picture.choice?.stars ?? 0) : 0 });
  tell(picture);
}

function undoLast() {
  const pictures = undo();
  const [picture] = pictures;
  if (!picture) return say("Nothing to undo.");
  if (!openPicture()) focusOn(picture);
  if (pictures.length === 1) tell(picture, "undone, ");
  else say(`Undone for ${pictures.length} pictures.`);
}

/** @param {Picture} picture @param {string} [before] */
function tell({ name, choice }, before = "") {
  say(`${name}: ${before}${choiceWords(choice)}`);
}

/** Tells screen readers. @param {string} words */
function say(words) {
  setText(byId("said"), words);
}

function showCounts() {
  const { pictures } = state;
  const count = (/** @type {string} */ decision) =>
    pictures.filter(({ choice }) => choice?.decision === decision).length;
  const [kept, rejected] = [count("keep"), count("reject")];
  byId("choices").hidden = pictures.length === 0;
  const words = `${kept} kept, ${rejected} rejected, ${pictures.length - kept - rejected} undecided`;
  setText(byId("choice-counts"), words);
  setText(byId("forgets-why"), forgetsWhy());
  /** @type {HTMLButtonElement} */ (byId("forget")).disabled = !hasChoices();
}
