import { cards, showChoice } from "./cards.js";
import { groupOf, turnPage } from "./pages.js";
import { canUndo, choiceOf, choose, sheet, undo } from "./state.js";

/** @type {() => void} */
let onChange = () => {};
/** @param {() => void} listener */
export const whenChanged = (listener) => {
  onChange = listener;
};

/** Moves the focus, of which one card alone can be reached by Tab. @param {HTMLButtonElement | undefined} card */
export function focusOn(card) {
  if (!card) return;
  for (const other of cards.values()) if (other.tabIndex === 0) other.tabIndex = -1;
  card.tabIndex = 0;
  card.focus();
}

/** @param {string} text */
export function say(text) {
  const said = document.getElementById("said");
  if (said) said.textContent = text;
}

/** @param {readonly (readonly [number, import("./state.js").Choice])[]} changes @param {string} words */
function change(changes, words) {
  choose(changes);
  for (const [index] of changes) showChoice(index);
  say(words);
  onChange();
}

/** @param {number} index */
export function flip(index) {
  const choice = choiceOf(index);
  decide(index, choice.decision === "keep" ? "reject" : "keep");
}

/** @param {number} index @param {"keep" | "reject"} decision */
function decide(index, decision) {
  change([[index, { ...choiceOf(index), decision }]], decision === "keep" ? "kept" : "rejected");
}

/** @param {number} index */
function only(index) {
  const changes = groupOf(index).map((other) => {
    /** @type {"keep" | "reject"} */
    const decision = other === index ? "keep" : "reject";
    return /** @type {const} */ ([other, { ...choiceOf(other), decision }]);
  });
  change(changes, "the only one kept of its group");
}

export function undoLast() {
  if (!canUndo()) return say("nothing to undo");
  const index = undo();
  for (const shown of cards.keys()) showChoice(shown);
  if (index !== undefined) focusOn(cards.get(index));
  say("undone");
  onChange();
}

/** The card so many groups away, at the same place where there is one. @param {HTMLElement} card @param {number} by */
function inGroup(card, by) {
  const sections = [...document.querySelectorAll("section.group")];
  const own = card.closest("section.group");
  if (!own) return undefined;
  const place = [...own.querySelectorAll(".card")].indexOf(card);
  const target = sections[sections.indexOf(own) + by];
  const there = [...(target?.querySelectorAll(".card") ?? [])];
  return /** @type {HTMLButtonElement | undefined} */ (there[Math.min(place, there.length - 1)]);
}

/** @param {number} by @param {"first" | "last"} at */
function turn(by, at) {
  if (!turnPage(by)) return;
  window.scrollTo(0, 0);
  const all = [...cards.values()];
  focusOn(at === "first" ? all[0] : all.at(-1));
}

/** @param {KeyboardEvent} event */
export function onKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches("input, select, dialog *")) return;
  if (event.key === "?") return void (/** @type {HTMLDialogElement} */ (document.getElementById("keys")).showModal());
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    return undoLast();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const card = /** @type {HTMLButtonElement | null} */ (target.closest(".card"));
  if (event.key === "u") return undoLast();
  if (!card) {
    const begins = ["ArrowDown", "ArrowRight"].includes(event.key) && target === document.body;
    if (begins) focusOn([...cards.values()][0]);
    if (begins) event.preventDefault();
    return;
  }
  if (act(event.key, card, Number(card.dataset["index"]))) event.preventDefault();
}

/** @param {string} key @param {HTMLButtonElement} card @param {number} index @returns {boolean} whether it means something */
function act(key, card, index) {
  const all = [...cards.values()];
  const at = all.indexOf(card);
  if (/^[0-5]$/.test(key)) {
    const stars = Number(key);
    const { decision } = choiceOf(index);
    change([[index, { decision: stars ? "keep" : decision, stars }]], stars ? `${stars} stars, kept` : "no stars");
    return true;
  }
  /** @type {Record<string, () => void>} */
  const actions = {
    ArrowRight: () => (at + 1 < all.length ? focusOn(all[at + 1]) : turn(1, "first")),
    ArrowLeft: () => (at > 0 ? focusOn(all[at - 1]) : turn(-1, "last")),
    ArrowDown: () => (inGroup(card, 1) ? focusOn(inGroup(card, 1)) : turn(1, "first")),
    ArrowUp: () => (inGroup(card, -1) ? focusOn(inGroup(card, -1)) : turn(-1, "last")),
    Home: () => focusOn(all[0]),
    End: () => focusOn(all.at(-1)),
    PageDown: () => turn(1, "first"),
    PageUp: () => turn(-1, "first"),
    k: () => decide(index, "keep"),
    x: () => decide(index, "reject"),
    o: () => only(index),
  };
  actions[key]?.();
  return key in actions;
}

/** "310 kept, 190 rejected, 3 changed" @param {number} changed */
export function countWords(changed) {
  let [kept, rejected] = [0, 0];
  sheet.pictures.forEach(({ decision }, index) => {
    if (!decision) return;
    if (choiceOf(index).decision === "keep") kept++;
    else rejected++;
  });
  return `${kept} kept, ${rejected} rejected${changed ? `, ${changed} changed by you` : ""}`;
}
