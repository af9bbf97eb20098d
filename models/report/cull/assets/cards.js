import { choiceOf, sheet, thumbnailOf } from "./state.js";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** @param {string} path */
const fileName = (path) => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

/** Small copies are decoded when they come near. */
const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      const source = thumbnailOf(Number(/** @type {HTMLElement} */ (target).dataset["index"]));
      const frame = target.querySelector(".frame");
      if (!source || !frame) continue;
      const image = element("img");
      image.alt = "";
      image.decoding = "async";
      image.src = source;
      frame.append(image);
    }
  },
  { rootMargin: "600px" },
);

/** The cards on the page, by index of the picture. @type {Map<number, HTMLButtonElement>} */
export const cards = new Map();

export function clearCards() {
  observer.disconnect();
  cards.clear();
}

/** @param {number} index @param {number} size pictures of its group */
export function cardOf(index, size) {
  const picture = /** @type {import("./state.js").SheetPicture} */ (sheet.pictures[index]);
  const card = element("button", "card");
  card.type = "button";
  card.tabIndex = -1;
  card.dataset["index"] = String(index);
  card.title = picture.path;
  const text = element("span", "text");
  const facts = [
    ...(picture.score === undefined ? [] : [`score ${picture.score.toFixed(0)}`]),
    ...(size > 1 && picture.sharpness !== undefined ? [`sharpness ${Math.round(100 * picture.sharpness)}\u00a0%`] : []),
    ...(picture.width ? [`${picture.width}\u00a0×\u00a0${picture.height}`] : []),
  ];
  text.append(
    element("span", "file", fileName(picture.path)),
    element("span", "state"),
    element("span", "stars"),
    element("span", "line", size > 1 ? (picture.words ?? "") : ""),
    element("span", "line", facts.join(" · ")),
  );
  card.append(element("span", "frame"), text);
  cards.set(index, card);
  observer.observe(card);
  showChoice(index);
  return card;
}

/** @param {number} index */
export function showChoice(index) {
  const card = cards.get(index);
  const picture = sheet.pictures[index];
  if (!card || !picture) return;
  const { decision, stars } = choiceOf(index);
  card.dataset["decision"] = decision;
  card.setAttribute("aria-pressed", String(decision === "keep"));
  /** @param {string} name @param {string} text */
  const fill = (name, text) => {
    const part = card.querySelector(`.${name}`);
    if (part) part.textContent = text;
  };
  fill("state", decision);
  fill("stars", "★".repeat(stars));
  const facts = [
    `${fileName(picture.path)}: ${decision}`,
    ...(stars ? [`${stars} stars`] : []),
    ...(picture.words ? [picture.words] : []),
    ...(picture.score === undefined ? [] : [`score ${picture.score.toFixed(0)}`]),
  ];
  card.setAttribute("aria-label", facts.join(", "));
}
