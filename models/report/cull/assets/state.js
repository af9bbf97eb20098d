/**
 * @typedef {object} SheetPicture
 * @property {string} path
 * @property {string} [error]
 * @property {number} [group]
 * @property {number} [rank]
 * @property {"keep" | "reject"} [decision]
 * @property {string} [words]
 * @property {number} [sharpness]
 * @property {number} [score]
 * @property {string} [captured]
 * @property {number} [width]
 * @property {number} [height]
 * @typedef {{ decision: "keep" | "reject", stars: number }} Choice
 */

/** @param {string} id */
const embedded = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

/** @type {{ id: string, block: number, pictures: SheetPicture[] }} */
export const sheet = embedded("sheet");

const storageKey = `acutance-cull-${sheet.id}`;

/** Choices that are not those of the sheet, by index. @type {Map<number, Choice>} */
const changed = new Map();
/** What undoing brings back: for each step the choices before it. @type {(readonly [index: number, before: Choice])[][]} */
const steps = [];

/** @param {number} index @returns {Choice} */
const decided = (index) => ({ decision: sheet.pictures[index]?.decision ?? "keep", stars: 0 });

/** @param {number} index */
export const choiceOf = (index) => changed.get(index) ?? decided(index);

/** @param {number} index */
export const isChanged = (index) => changed.has(index);

/** @param {number} index @param {Choice} choice */
function put(index, choice) {
  const own = decided(index);
  if (choice.decision === own.decision && choice.stars === own.stars) changed.delete(index);
  else changed.set(index, choice);
}

/** Changes choices as one step. @param {readonly (readonly [index: number, choice: Choice])[]} changes */
export function choose(changes) {
  const real = changes.filter(([index, { decision, stars }]) => {
    const now = choiceOf(index);
    return now.decision !== decision || now.stars !== stars;
  });
  if (real.length === 0) return;
  steps.push(real.map(([index]) => [index, choiceOf(index)]));
  for (const [index, choice] of real) put(index, choice);
  remember();
}

export const canUndo = () => steps.length > 0;

/** @returns {number | undefined} a picture whose choice came back */
export function undo() {
  const step = steps.pop();
  for (const [index, choice] of step ?? []) put(index, choice);
  remember();
  return step?.[0]?.[0];
}

export function forget() {
  choose([...changed.keys()].map((index) => [index, decided(index)]));
}

export const changes = () => changed.size;

/** Where storage is denied, choices last as long as the page. */
function remember() {
  try {
    localStorage.setItem(storageKey, JSON.stringify([...changed]));
  } catch {}
}

export function recall() {
  try {
    for (const [index, choice] of JSON.parse(localStorage.getItem(storageKey) ?? "[]")) {
      if (sheet.pictures[index]?.decision && ["keep", "reject"].includes(choice?.decision)) put(index, choice);
    }
  } catch {}
}

/** @type {Map<number, string[]>} */
const blocks = new Map();

/** The address of a small copy, or nothing. @param {number} index */
export function thumbnailOf(index) {
  const block = Math.floor(index / sheet.block);
  let list = blocks.get(block);
  if (!list) {
    list = /** @type {string[]} */ (embedded(`thumbnails-${block}`) ?? []);
    blocks.set(block, list);
  }
  const data = list[index % sheet.block];
  return data ? `data:image/webp;base64,${data}` : undefined;
}
