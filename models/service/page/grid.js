// The pictures as cards in their order; one tab stop, arrows from card to card.
import { byId, element, setText } from "./dom.js";
import { percentileOf, shown, shownBursts } from "./shown.js";
import {
  burstWords,
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
/** @typedef {{ root: HTMLElement, score: Element, aside: Element, place: Element, decision: HTMLElement, burst: Element, reasons: Element, name: Element, strip: Element, shows?: unknown }} Card */

/** @type {Map<Picture, Card>} */
const cards = new Map();
const list = /** @type {HTMLElement} */ (byId("grid"));

/** @param {(picture: Picture) => void} open called for the picture to be looked at closely */
export function startGrid(open) {
  new ResizeObserver(updateStrips).observe(list);
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
  const at = all.indexOf(picture);
  const last = all.length - 1;
  const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  const to = /** @type {Record<string, number>} */ (steps)[key];
  const isVertical = key === "ArrowUp" || key === "ArrowDown";
  if (to === undefined && !isVertical) return false;
  const next =
    to === undefined ? inNextRow(all, at, key === "ArrowDown" ? 1 : -1) : all[Math.min(last, Math.max(0, to))];
  if (next) focusOn(next);
  return true;
}

/**
 * The picture above or below, which lies nearest: rows have as many pictures as they have room for, and those of a burst are its own.
 * @param {Picture[]} all @param {number} at @param {1 | -1} by @returns {Picture | undefined}
 */
function inNextRow(all, at, by) {
  const box = (/** @type {number} */ i) => cards.get(/** @type {Picture} */ (all[i]))?.root.getBoundingClientRect();
  const from = box(at);
  if (!from) return undefined;
  // Those of a strip stand a little lower than those beside it.
  const isBeside = (/** @type {DOMRect} */ a, /** @type {DOMRect} */ b) => Math.abs(a.top - b.top) < a.height / 2;
  const off = (/** @type {DOMRect} */ rect) => Math.abs(rect.left - from.left);
  /** @type {{ at: number, box: DOMRect } | undefined} */
  let best;
  for (let i = at + by; i >= 0 && i < all.length; i += by) {
    const here = box(i);
    if (!here || isBeside(here, from)) continue;
    if (best && !isBeside(here, best.box)) break;
    if (!best || off(here) < off(best.box)) best = { at: i, box: here };
  }
  return best && all[best.at];
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

/** What stands in the list for a burst, by the picture that is first of it. @type {Map<Picture, HTMLElement>} */
const strips = new Map();

/** Brings the cards up to date with what is known. */
export function updateGrid() {
  const bursts = shownBursts();
  const all = bursts.flat();
  const wanted = new Set(all);
  const kept = new Set(state.pictures);
  const focused = pictureOf(document.activeElement);
  const focusedAt = focused ? rootsIn(list).indexOf(/** @type {Element} */ (document.activeElement)) : -1;
  for (const [picture, card] of cards) {
    if (!wanted.has(picture)) card.root.remove();
    if (!kept.has(picture)) cards.delete(picture);
  }
  const rows = bursts.map((pictures) => {
    const roots = pictures.map((picture) => {
      const card = cards.get(picture) ?? newCard(picture);
      fillCard(card, picture);
      return card.root;
    });
    const [first] = /** @type {[Picture]} */ (pictures);
    if (roots.length === 1) return /** @type {HTMLElement} */ (roots[0]);
    const strip = strips.get(first) ?? newStrip(first);
    strip.setAttribute("aria-label", `burst of ${roots.length}`);
    putInto(strip, roots);
    return strip;
  });
  putInto(list, rows);
  updateStrips();
  const firsts = new Set(bursts.filter(({ length }) => length > 1).map(([first]) => first));
  for (const first of strips.keys()) if (!firsts.has(first)) strips.delete(first);
  // A card that is moved loses the focus.
  const next = focused && wanted.has(focused) ? focused : all[Math.min(focusedAt, all.length - 1)];
  if (next && document.activeElement !== cards.get(next)?.root) focusOn(next);
  const [first] = all;
  if (first && !list.querySelector("[tabindex='0']")) cards.get(first)?.root.setAttribute("tabindex", "0");
}

/** Strips are as wide as their pictures need. */
function updateStrips() {
  if (strips.size === 0) return;
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  for (const strip of strips.values()) {
    const count = strip.children.length;
    strip.style.gridColumn = count < columns ? `span ${count}` : "1 / -1";
  }
}

/** @param {Element} node */
const rootsIn = (node) => [...node.querySelectorAll("[role=option]")];

/** Gives an element such children in such an order, and moves as few as it must. @param {Element} parent @param {readonly Element[]} children */
function putInto(parent, children) {
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild?.remove();
}

/** @param {Picture} first */
function newStrip(first) {
  const strip = element("div", { role: "group", class: "burst" });
  strips.set(first, strip);
  return strip;
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
  const burst = element("span", { class: "burst-place" });
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
    burst,
    name,
  );
  const root = element("div", { role: "option", class: "card", tabindex: "-1" }, frame, decision, pick, text);
  const card = { root, score, aside, place, decision, burst, reasons, name, strip };
  cards.set(picture, card);
  showThumbnail(picture, frame);
  return card;
}

/** @param {Card} card @param {Picture} picture */
function fillCard(card, picture) {
  const { root, score: figure, aside, place, decision, burst, reasons, strip } = card;
  root.setAttribute("aria-selected", String(state.chosen.includes(picture)));
  const { stage, score, problem } = picture;
  const words = spoken(picture);
  if (root.ariaLabel !== words) root.ariaLabel = words;
  setText(place, placeText(picture));
  setText(burst, burstWords(picture));
  burst.classList.toggle("best", picture.burst?.rank === 1);
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
    ...[burstWords(picture)].filter(Boolean),
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
