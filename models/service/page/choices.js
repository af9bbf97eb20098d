// What is kept, rejected and rated, remembered in the browser by the bytes of the files.
import { changed, onChange, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */
/** @typedef {import("./state.js").Choice} Choice */

/** Browsers hash only on https: and on the machine itself. */
const hashes = globalThis.crypto?.subtle !== undefined;
const keyStart = "acutance-choice-";
/** What undoing brings back, at once what was decided at once. @type {{ picture: Picture, before: Choice | undefined }[][]} */
const steps = [];
/** @type {WeakMap<Picture, Promise<string>>} */
const keys = new WeakMap();
/** Pictures for which the browser was asked what it remembers. @type {WeakSet<Picture>} */
const asked = new WeakSet();
let isRecalling = false;
let isRoom = true;

/** Why choices will not be there at the next visit; empty when they will. */
export function forgetsWhy() {
  if (!hashes) return "Choices last for this visit: browsers remember pictures only on https: and localhost.";
  return isRoom ? "" : "Choices last for this visit: the browser lets this page store nothing.";
}

/** @param {Picture} picture @param {Choice | undefined} choice */
export function decide(picture, choice) {
  decideAll([{ picture, choice }]);
}

/** Decides on several pictures at once. @param {readonly { picture: Picture, choice: Choice | undefined }[]} decisions */
export function decideAll(decisions) {
  if (decisions.length === 0) return;
  steps.push(decisions.map(({ picture }) => ({ picture, before: picture.choice })));
  for (const { picture, choice } of decisions) put(picture, choice);
}

/** Takes the last decision on pictures of the page back. @returns {Picture[]} its pictures, none where there is nothing to undo */
export function undo() {
  const there = new Set(state.pictures);
  for (let step = steps.pop(); step; step = steps.pop()) {
    const present = step.filter(({ picture }) => there.has(picture));
    for (const { picture, before } of present) put(picture, before);
    if (present.length > 0) return present.map(({ picture }) => picture);
  }
  return [];
}

/** Forgets choices of this visit and of those before. */
export function forgetChoices() {
  steps.length = 0;
  for (const picture of state.pictures) picture.choice = undefined;
  for (const key of storedKeys()) localStorage.removeItem(key);
  changed();
}

/** Whether there is something to forget. */
export function hasChoices() {
  return state.pictures.some(({ choice }) => choice) || storedKeys().length > 0;
}

function storedKeys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(keyStart));
  } catch {
    return [];
  }
}

/** @param {Picture} picture @param {Choice | undefined} choice */
function put(picture, choice) {
  picture.choice = choice;
  asked.add(picture);
  void remember(picture);
  changed();
}

/** @param {Picture} picture */
async function remember(picture) {
  if (!hashes) return;
  // A file that can no longer be read keeps its choice for this visit; the service's row says what is wrong with it.
  const key = await keyOf(picture).catch(() => undefined);
  if (!key) return;
  try {
    // What holds by now, as another key may have been pressed meanwhile.
    const { choice } = picture;
    if (choice) localStorage.setItem(key, `${choice.decision} ${choice.stars}`);
    else localStorage.removeItem(key);
  } catch {
    isRoom = false;
    changed();
  }
}

/** @param {Picture} picture */
function keyOf(picture) {
  const known = keys.get(picture);
  if (known) return known;
  const key = picture.file
    .arrayBuffer()
    .then((bytes) => crypto.subtle.digest("SHA-256", bytes))
    .then(
      (digest) => keyStart + [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    );
  keys.set(picture, key);
  return key;
}

/** Brings back what was chosen at earlier visits, one file at a time, and only where something is remembered. */
async function recall() {
  if (isRecalling || !hashes || storedKeys().length === 0) return;
  isRecalling = true;
  for (let next = unasked(); next; next = unasked()) {
    asked.add(next);
    const text = await keyOf(next).then(
      (key) => localStorage.getItem(key),
      () => null,
    );
    const [, decision, stars] = /^(keep|reject) ([0-5])$/.exec(text ?? "") ?? [];
    const isDecided = steps.some((step) => step.some(({ picture }) => picture === next));
    if (!decision || isDecided) continue;
    next.choice = { decision: /** @type {Choice["decision"]} */ (decision), stars: Number(stars) };
    changed();
  }
  isRecalling = false;
}

const unasked = () => state.pictures.find((picture) => !asked.has(picture));

onChange(() => void recall());
