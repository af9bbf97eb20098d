// Sends waiting pictures in batches, two requests at a time: while one is scored, the next one comes in.
import { ServiceError, scoreStream } from "./api.js";
import { changed, limits, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

const requests = 2;
/** Refusals in a row after which the pictures are given up. */
const mostRefusals = 20;
const perRequest = Math.max(1, Math.min(16, limits.maxPictures, Math.floor(limits.maxQueue / requests)));

/** The work that a pause ends. */
let round = { stop: new AbortController(), running: 0 };
let refusals = 0;

/** Scores what waits, unless that is being done. */
export function scoreWaiting() {
  state.paused = false;
  const own = round;
  while (own.running < requests && state.pictures.some(({ stage }) => stage === "waiting")) {
    own.running++;
    // It takes its pictures at once.
    void work(own.stop.signal).finally(() => {
      own.running--;
      changed();
    });
  }
  changed();
}

/** Gives up what was sent; it waits again. */
export function pause() {
  state.paused = true;
  state.notice = "";
  round.stop.abort();
  round = { stop: new AbortController(), running: 0 };
  for (const picture of state.pictures) if (picture.stage === "sent") picture.stage = "waiting";
  changed();
}

/** Everything is scored again, or what failed only. @param {boolean} failedOnly */
export function scoreAgain(failedOnly) {
  pause();
  for (const picture of state.pictures) {
    if (failedOnly && picture.stage !== "failed") continue;
    picture.stage = "waiting";
    picture.score = picture.problem = undefined;
  }
  scoreWaiting();
}

/** Scores those again of which nothing is known that groups them. */
export function scoreWithLooks() {
  for (const picture of state.pictures) {
    if (picture.stage !== "scored" || picture.look) continue;
    picture.stage = "waiting";
    picture.score = undefined;
  }
  scoreWaiting();
}

/** @param {AbortSignal} signal */
async function work(signal) {
  while (!signal.aborted) {
    const batch = nextBatch();
    if (batch.length === 0) return;
    for (const picture of batch) picture.stage = "sent";
    changed();
    try {
      await scoreStream(batch, signal, (row) => take(batch[row.index], row, signal));
      for (const picture of batch) if (picture.stage === "sent") fail(picture, brokenOff);
      refusals = 0;
      state.notice = "";
    } catch (error) {
      if (signal.aborted) return;
      await handle(
        batch.filter(({ stage }) => stage === "sent"),
        error,
        signal,
      );
    }
  }
}

/** @returns {Picture[]} */
function nextBatch() {
  /** @type {Picture[]} */
  const batch = [];
  // A form has some words around each file.
  let room = limits.maxBodyBytes - 1024;
  for (const picture of state.pictures) {
    if (picture.stage !== "waiting") continue;
    const needs = picture.file.size + 1024 + 3 * picture.name.length;
    if (needs > limits.maxBodyBytes - 1024) fail(picture, tooLong(picture));
    else if (needs > room || batch.length === perRequest) break;
    else {
      batch.push(picture);
      room -= needs;
    }
  }
  return batch;
}

/** @param {Picture | undefined} picture @param {import("./api.js").Row} row @param {AbortSignal} signal */
function take(picture, row, signal) {
  if (!picture || signal.aborted) return;
  const { error, look, ...score } = row;
  if (error) return fail(picture, error);
  picture.stage = "scored";
  picture.score = score;
  if (look) picture.look = look;
  changed();
}

/** @param {Picture} picture @param {import("./state.js").Problem} problem */
function fail(picture, problem) {
  picture.stage = "failed";
  picture.problem = problem;
  changed();
}

/** What becomes of pictures whose request failed. @param {Picture[]} pictures @param {unknown} error @param {AbortSignal} signal */
async function handle(pictures, error, signal) {
  if (error instanceof ServiceError) {
    const { problem, retrySeconds } = error;
    if ((problem.status !== 429 && problem.status !== 503) || ++refusals > mostRefusals) {
      for (const picture of pictures) fail(picture, problem);
      return;
    }
    for (const picture of pictures) picture.stage = "waiting";
    const seconds = retrySeconds ?? 2;
    state.notice = `${problem.detail} Trying again in ${seconds} s.`;
    changed();
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    return;
  }
  // One file that cannot be read any more fails the whole request.
  const readable = await Promise.all(pictures.map(isReadable));
  if (signal.aborted) return;
  pictures.forEach((picture, i) => {
    if (!readable[i]) fail(picture, unreadable);
    else if (readable.every(Boolean)) fail(picture, unreachable);
    else picture.stage = "waiting";
  });
}

/** @param {Picture} picture */
async function isReadable({ file }) {
  const reader = file.stream().getReader();
  try {
    await reader.read();
    return true;
  } catch {
    return false;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {string} code @param {string} detail @param {string} [advice] @returns {import("./state.js").Problem} */
const problem = (code, detail, advice) => ({ status: 0, code, title: code, detail, advice });
const brokenOff = problem("broken-off", "The answer broke off before this picture.", "Try it again.");
const unreadable = problem("unreadable", "The browser can no longer read this file.", "Add it again.");
const unreachable = problem("unreachable", "The service cannot be reached.", "Try again once it runs.");

/** @param {Picture} picture */
function tooLong({ file }) {
  const most = (limits.maxBodyBytes / 2 ** 20).toFixed(0);
  return problem(
    "body-too-long",
    `The file has ${(file.size / 2 ** 20).toFixed(1)} MiB; the service takes ${most} MiB.`,
  );
}
