import { cardOf, cards, clearCards, element } from "./cards.js";
import { choiceOf, isChanged, sheet } from "./state.js";

/** Pictures of a page, about: a group is not divided. */
const pageSize = 300;

/** @typedef {{ title: string, note: string, indices: number[], alone: boolean, sizes: number }} Strip */

/** Pictures by group, in order. @type {Map<number, number[]>} */
const groups = new Map();
sheet.pictures.forEach(({ group }, index) => {
  if (group === undefined) return;
  const known = groups.get(group);
  if (known) known.push(index);
  else groups.set(group, [index]);
});

export const filter = { show: "all", name: "" };
/** @type {Strip[][]} */
let pages = [];
let current = 0;

/** @param {number} index */
function isShown(index) {
  const { show, name } = filter;
  const picture = sheet.pictures[index];
  if (name && !picture?.path.toLowerCase().includes(name.toLowerCase())) return false;
  if (show === "changed") return isChanged(index);
  return show === "keep" || show === "reject" ? choiceOf(index).decision === show : true;
}

/** @param {number} index */
export const groupOf = (index) => groups.get(sheet.pictures[index]?.group ?? -1) ?? [];

/** @returns {Strip[]} */
function strips() {
  /** @type {Strip[]} */
  const found = [];
  /** @type {number[]} */
  const alone = [];
  for (const [group, all] of groups) {
    const indices = all.filter(isShown);
    if (indices.length === 0) continue;
    if (all.length === 1) alone.push(...indices);
    else if (filter.show !== "alone") {
      const first = sheet.pictures[all[0] ?? 0];
      const time = first?.captured ? first.captured.slice(0, 19).replace("T", " ") : "";
      found.push({
        title: `Group ${group}`,
        note: [`${all.length} pictures`, time].filter(Boolean).join(" · "),
        indices,
        alone: false,
        sizes: all.length,
      });
    }
  }
  if (filter.show === "groups") return found;
  for (let from = 0; from < alone.length; from += pageSize) {
    const indices = alone.slice(from, from + pageSize);
    const part =
      alone.length > pageSize ? `${from + 1} to ${from + indices.length} of ${alone.length}` : `${alone.length}`;
    found.push({ title: "Pictures alone", note: part, indices, alone: true, sizes: 1 });
  }
  return found;
}

/** Divides what the filter shows into pages, and shows the first. */
export function applyFilter() {
  pages = [[]];
  let count = 0;
  for (const strip of strips()) {
    if (count > 0 && count + strip.indices.length > pageSize) {
      pages.push([]);
      count = 0;
    }
    pages.at(-1)?.push(strip);
    count += strip.indices.length;
  }
  showPage(0);
}

/** @param {number} index of the page; others are passed over */
export function showPage(index) {
  if (index < 0 || index >= pages.length) return false;
  current = index;
  clearCards();
  const main = /** @type {HTMLElement} */ (document.getElementById("groups"));
  main.replaceChildren(...(pages[index] ?? []).map(section));
  if (cards.size === 0) main.append(element("p", "empty", "Nothing is like this."));
  const [first] = cards.values();
  if (first) first.tabIndex = 0;
  for (const turn of document.querySelectorAll(".turn")) {
    /** @type {HTMLElement} */ (turn).hidden = pages.length < 2;
    const where = turn.querySelector(".where");
    if (where) where.textContent = `page ${index + 1} of ${pages.length}`;
    for (const button of turn.querySelectorAll("button")) {
      const target = index + Number(button.dataset["turn"]);
      button.disabled = target < 0 || target >= pages.length;
    }
  }
  return true;
}

/** @param {number} by */
export const turnPage = (by) => showPage(current + by);

/** @param {Strip} strip @param {number} place */
function section(strip, place) {
  const made = element("section", strip.alone ? "group alone" : "group");
  const title = element("h2", "", strip.title);
  title.id = `strip-${place}`;
  title.append(element("span", "", strip.note));
  made.setAttribute("aria-labelledby", title.id);
  const list = element("ul");
  for (const index of strip.indices) {
    const item = element("li");
    item.append(cardOf(index, strip.sizes));
    list.append(item);
  }
  made.append(title, list);
  return made;
}
