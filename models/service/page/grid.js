// The pictures as cards in their order; one tab stop, arrows from card to card.
import { byId, element, setText } from "./dom.js";
import { percentileOf, shown } from "./shown.js";
import {
  choiceWords,
  choose,
  percent,
  reasonWords,
  scoreText,
  scoreWords,
  state,
  sureness,
  typicalityWords,
} from "./state.js";
import { showThumbnail } from "./thumbnails.js";

/** @typedef {import("./state.js").Picture} Picture */
/** @typedef {{ root: HTMLElement, score: Element, aside: Element, place: Element, decision: HTMLElement, reasons: Element, name: Element, strip: Element, shows?: unknown }} Card */

/** @type {Map<Picture, Card>} */
const cards = new Map();
const list = /** @type {HTMLElement} */ (byId("grid"));

/** @param {(picture: Picture) => void} open called for the picture to be looked at closely */
export function startGrid(open) {
  list.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const picture = pictureOf(target.closest("[role=option]"));
    if (!picture) return;
    focusOn(picture);
    if (target.closest(".pick") || event.shiftKey || event.ctrlKey || event.metaKey) choose(picture);
    else open(picture);
  });
  list.addEventListener("keydown", (event) => {
    const picture = pictureOf(document.activeElement);
    if (!picture || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") open(picture);
    else if (event.key === " " || event.key === "c") choose(picture);
    else if (!move(picture, event.key)) return;
    event.preventDefault();
  });
}

/** Moves the focus to the card of a picture. @param {Picture} picture */
export function focusOn(picture) {
  const card = cards.get(picture);
  if (!card) return;
  list.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
  card.root.tabIndex = 0;
  card.root.focus();
}

/** @param {Picture} picture @param {string} key @returns {boolean} whether it is a key that moves */
function move(picture, key) {
  const all = shown();
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const at = all.indexOf(picture);
  const last = all.length - 1;
  const steps = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: last,
  };
  const to = /** @type {Record<string, number>} */ (steps)[key];
  if (to === undefined) return false;
  const next = all[Math.min(last, Math.max(0, to))];
  if (next) focusOn(next);
  return true;
}

/** The picture of the card that has the focus. */
export function focusedPicture() {
  return pictureOf(document.activeElement);
}

/** @param {Element | null} node */
function pictureOf(node) {
  for (const [picture, { root }] of cards) if (root === node) return picture;
  return undefined;
}

/** Brings the cards up to date with what is known. */
export function updateGrid() {
  const all = shown();
  const wanted = new Set(all);
  const kept = new Set(state.pictures);
  const focused = pictureOf(document.activeElement);
  const focusedAt = focused ? [...list.children].indexOf(/** @type {Element} */ (document.activeElement)) : -1;
  for (const [picture, card] of cards) {
    if (!wanted.has(picture)) card.root.remove();
    if (!kept.has(picture)) cards.delete(picture);
  }
  all.forEach((picture, i) => {
    const card = cards.get(picture) ?? newCard(picture);
    fillCard(card, picture);
    if (list.children[i] !== card.root) list.insertBefore(card.root, list.children[i] ?? null);
  });
  // A card that is moved loses the focus.
  const next = focused && wanted.has(focused) ? focused : all[Math.min(focusedAt, all.length - 1)];
  if (next && document.activeElement !== cards.get(next)?.root) focusOn(next);
  if (!list.querySelector("[tabindex='0']")) list.firstElementChild?.setAttribute("tabindex", "0");
}

/** @param {Picture} picture @returns {Card} */
function newCard(picture) {
  const score = element("strong", { class: "score" });
  const aside = element("span", { class: "aside" });
  const place = element("span", { class: "place", title: "percentile among the pictures of this page" });
  const strip = element(
    "span",
    { class: "strip" },
    element("span", { class: "band" }),
    element("span", { class: "mark" }),
  );
  const reasons = element("span", { class: "reasons" });
  const name = element("span", { class: "name", title: picture.name }, picture.name);
  const frame = element("span", { class: "frame" });
  const decision = element("span", { class: "decision", hidden: true });
  const pick = element("span", { class: "pick", title: "choose for comparison" });
  const text = element(
    "span",
    { class: "text" },
    element("span", { class: "line" }, score, aside, place),
    strip,
    reasons,
    name,
  );
  const root = element("div", { role: "option", class: "card", tabindex: "-1" }, frame, decision, pick, text);
  const card = { root, score, aside, place, decision, reasons, name, strip };
  cards.set(picture, card);
  showThumbnail(picture, frame);
  return card;
}

/** @param {Card} card @param {Picture} picture */
function fillCard(card, picture) {
  const { root, score: figure, aside, place, decision, reasons, strip } = card;
  root.setAttribute("aria-selected", String(state.chosen.includes(picture)));
  const { stage, score, problem } = picture;
  const words = spoken(picture);
  if (root.ariaLabel !== words) root.ariaLabel = words;
  setText(place, placeText(picture));
  const { choice } = picture;
  root.dataset["decision"] = choice?.decision ?? "none";
  decision.hidden = !choice;
  const sign = choice?.decision === "keep" ? "✓ kept" : "✕ rejected";
  setText(decision, choice?.stars ? "★".repeat(choice.stars) : sign);
  const shows = score ?? problem ?? stage;
  if (card.shows === shows) return;
  card.shows = shows;
  root.dataset["stage"] = stage;
  setText(figure, score ? scoreWords(score) : stage === "failed" ? "No score" : "");
  setText(aside, asideOf(picture));
  aside.setAttribute("title", problem?.advice ?? "");
  setText(reasons, score ? reasonWords(score) : "");
  if (score) drawStrip(strip, score);
}

/** @param {Picture} picture */
function asideOf({ stage, score, problem }) {
  if (score) return sureness(score).join(" · ");
  return problem ? problem.detail : stage === "sent" ? "Being scored" : "Waiting";
}

/** @param {Picture} picture */
function placeText(picture) {
  const percentile = percentileOf(picture);
  return percentile === undefined ? "" : `percentile ${Math.round(percentile)}`;
}

/** A picture in words. @param {Picture} picture */
function spoken(picture) {
  const { stage, score, problem, choice } = picture;
  const name = choice ? `${picture.name}, ${choiceWords(choice)}` : picture.name;
  if (!score)
    return `${name}: ${problem ? `no score. ${problem.detail}` : stage === "sent" ? "being scored" : "waiting"}`;
  const { standardDeviation: spread, confidence, class: best } = score;
  const words = [
    `score ${scoreWords(score)}`,
    ...typicalityWords(score),
    ...(spread === undefined ? [] : [`spread ${scoreText(spread)}`]),
    ...(confidence === undefined ? [] : [`confidence ${percent(confidence)}`]),
    ...[placeText(picture)].filter(Boolean),
    ...(best === undefined ? [] : [`class ${best}`]),
    ...(score.reasons?.length ? [`most likely lowered by ${reasonWords(score)}`] : []),
  ];
  return `${name}: ${words.join(", ")}`;
}

/** The score on its range, with its interval, or a standard deviation to both sides. @param {Element} strip @param {import("./state.js").Score} score */
export function drawStrip(strip, { score, standardDeviation = 0, interval, range: [low, high] }) {
  const place = (/** @type {number} */ value) =>
    (100 * Math.min(1, Math.max(0, (value - low) / (high - low)))).toFixed(2);
  const [band, mark] = /** @type {HTMLElement[]} */ ([...strip.children]);
  if (!band || !mark) return;
  const from = place(interval?.low ?? score - standardDeviation);
  band.style.left = `${from}%`;
  band.style.width = `${Number(place(interval?.high ?? score + standardDeviation)) - Number(from)}%`;
  mark.style.left = `${place(score)}%`;
}
