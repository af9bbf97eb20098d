// Bursts and near-duplicates: what the service groups, the best of each first, and what becomes of their pictures.
import { groupLooks, ServiceError } from "./api.js";
import { decideAll } from "./choices.js";
import { byId, setText } from "./dom.js";
import { scoreWithLooks } from "./queue.js";
import { changed, limits, onChange, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

const offKey = "acutance-ungrouped";
/** What the service takes at once. */
const mostGrouped = 20_000;

const groupSwitch = /** @type {HTMLInputElement} */ (byId("group-bursts"));
/** Scores of the pictures that are grouped, to see whether others came. @type {(import("./state.js").Score | undefined)[]} */
let grouped = [];
let isAskingForGroups = false;

export function startGroups() {
  groupSwitch.checked = state.grouping = !isRememberedOff();
  groupSwitch.addEventListener("change", () => {
    state.grouping = groupSwitch.checked;
    rememberOff(!groupSwitch.checked);
    if (state.grouping) scoreWithLooks();
    changed();
  });
  onChange(() => {
    const count = state.grouping ? new Set(state.pictures.flatMap(({ burst }) => burst?.group ?? [])).size : 0;
    setText(byId("group-count"), count ? `${count} ${count === 1 ? "burst" : "bursts"}` : "");
    byId("keep-best").hidden = count === 0;
    /** @type {HTMLButtonElement} */ (byId("keep-best")).disabled = undecidedOfBursts().length === 0;
    void askForGroups();
  });
}

/** Pictures of bursts for which nothing is decided. */
const undecidedOfBursts = () => state.pictures.filter(({ burst, choice }) => burst && !choice);

/** Keeps the best of each burst and rejects the others, where a person has decided nothing. @returns {[number, number]} kept and rejected */
export function keepBest() {
  const steps = undecidedOfBursts().map((picture) => {
    const decision = /** @type {"keep" | "reject"} */ (picture.burst?.rank === 1 ? "keep" : "reject");
    return { picture, choice: { decision, stars: 0 } };
  });
  decideAll(steps);
  const kept = steps.filter(({ choice }) => choice.decision === "keep").length;
  return [kept, steps.length - kept];
}

/** Keeps a picture and rejects the others of its burst. @param {Picture} picture @returns {number | undefined} how many others; undefined when it is of none */
export function keepOnly(picture) {
  const { burst } = picture;
  if (!burst || !state.grouping) return undefined;
  const others = state.pictures.filter((other) => other !== picture && other.burst?.group === burst.group);
  decideAll([
    { picture, choice: { decision: "keep", stars: picture.choice?.stars ?? 0 } },
    ...others.map((other) => ({ picture: other, choice: /** @type {const} */ ({ decision: "reject", stars: 0 }) })),
  ]);
  return others.length;
}

/** Asks for the groups once all pictures are scored and others than at the last time. */
async function askForGroups() {
  const pictures = state.pictures.filter(({ look, score }) => look && score);
  const isBusy = state.pictures.some(({ stage }) => stage === "waiting" || stage === "sent");
  const isKnown = pictures.length === grouped.length && pictures.every(({ score }, i) => score === grouped[i]);
  if (!state.grouping || isBusy || isAskingForGroups || isKnown) return;
  isAskingForGroups = true;
  grouped = pictures.map(({ score }) => score);
  let notice = "";
  try {
    const rows = pictures.length < 2 ? [] : await groupLooks(looksBody(pictures));
    for (const picture of state.pictures) picture.burst = undefined;
    for (const { index, group, groupSize: size, rank, words } of rows) {
      const picture = pictures[index];
      if (picture && size > 1) picture.burst = { group, size, rank, words };
    }
  } catch (error) {
    if (error instanceof ServiceError && error.retrySeconds) {
      setTimeout(changed, 1000 * error.retrySeconds);
      grouped = [];
    }
    notice = `Bursts are not grouped. ${error instanceof ServiceError || error instanceof RangeError ? error.message : "The service cannot be reached."}`;
  }
  isAskingForGroups = false;
  setText(byId("group-notice"), notice);
  changed();
}

/** @param {readonly Picture[]} pictures @throws {RangeError} when they are too many */
function looksBody(pictures) {
  const all = pictures.map(({ name, look, score }) => {
    const { score: figure, range, interval } = /** @type {import("./state.js").Score} */ (score);
    return { name, look, scored: { score: figure, range, interval } };
  });
  const body = new Blob([JSON.stringify({ pictures: all })]);
  if (pictures.length > mostGrouped || body.size > limits.maxBodyBytes)
    throw new RangeError(`${pictures.length} pictures are more than the service groups at once.`);
  return body;
}

function isRememberedOff() {
  try {
    return localStorage.getItem(offKey) !== null;
  } catch {
    return false;
  }
}

/** @param {boolean} isOff */
function rememberOff(isOff) {
  try {
    if (isOff) localStorage.setItem(offKey, "1");
    else localStorage.removeItem(offKey);
  } catch {
    // It is off for this visit.
  }
}
