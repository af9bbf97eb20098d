// The service, as the page calls it. Addresses are relative to the page's own, so that it works where it is mounted.
import { byId } from "./dom.js";
import { state } from "./state.js";

const base = new URL(location.pathname.replace(/\/?$/, "/"), location.href);
const tokenKey = "acutance-token";

/** The service did not do what it was asked. */
export class ServiceError extends Error {
  /** @param {import("./state.js").Problem} problem @param {number} [retrySeconds] */
  constructor(problem, retrySeconds) {
    super(problem.detail);
    this.problem = problem;
    this.retrySeconds = retrySeconds;
  }
}

/**
 * @param {string} path @param {RequestInit} [options]
 * @returns {Promise<Response>} one that is well
 * @throws ServiceError; TypeError when the service cannot be reached
 */
export async function ask(path, options = {}) {
  const token = sessionStorage.getItem(tokenKey);
  const headers = new Headers(options.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(new URL(path, base), { ...options, headers, cache: "no-store" });
  if (response.ok) return response;
  if (response.status === 401) {
    await newToken(token);
    return ask(path, options);
  }
  const text = await response.text();
  throw new ServiceError(problemIn(text, response.status), Number(response.headers.get("retry-after")) || undefined);
}

/** @param {string} text @param {number} status @returns {import("./state.js").Problem} */
function problemIn(text, status) {
  try {
    const problem = JSON.parse(text);
    if (typeof problem.detail === "string") return problem;
  } catch {}
  return { status, code: "unknown", title: "Failure", detail: `The service answered with status ${status}.` };
}

/** @type {Promise<void> | undefined} */
let asking;

/** Asks for a token unless there is another one than `refused` by now; callers at the same time share the question. @param {string | null} refused */
async function newToken(refused) {
  if (sessionStorage.getItem(tokenKey) !== refused) return;
  asking ??= askForToken(refused !== null).finally(() => {
    asking = undefined;
  });
  await asking;
}

/** @param {boolean} wasWrong @returns {Promise<void>} */
function askForToken(wasWrong) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("token-dialog"));
  const field = /** @type {HTMLInputElement} */ (byId("token"));
  byId("token-wrong").textContent = wasWrong ? "That token is not the right one." : "";
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    // Without a token nothing works: the question cannot be waved away.
    dialog.oncancel = (event) => event.preventDefault();
    byId("token-form").addEventListener(
      "submit",
      () => {
        sessionStorage.setItem(tokenKey, field.value.trim());
        dialog.close();
        resolve();
      },
      { once: true },
    );
  });
}

/** @returns {Promise<import("./state.js").Model[]>} */
export async function models() {
  return (await (await ask("v1/models")).json()).models;
}

/** @typedef {import("./state.js").Score & { look?: unknown, error?: import("./state.js").Problem }} Row */

/**
 * Scores pictures, calling `each` with every row as it comes.
 * @param {readonly import("./state.js").Picture[]} pictures @param {AbortSignal} signal
 * @param {(row: Row) => void} each
 * @throws ServiceError also when the service stops in the middle; the pictures without a row were not looked at
 */
export async function scoreStream(pictures, signal, each) {
  const form = new FormData();
  for (const { file, name } of pictures) form.append("pictures", file, name);
  const response = await ask(`v1/score/stream${query({ look: state.grouping ? "1" : undefined })}`, {
    method: "POST",
    body: form,
    signal,
  });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const row = JSON.parse(line);
      if (row.ends) throw new ServiceError(row.error);
      each(row);
    }
  }
}

/**
 * The pictures of which that was seen, by group and then rank.
 * @param {Blob} body @returns {Promise<{ index: number, group: number, groupSize: number, rank: number, words: string }[]>}
 */
export async function groupLooks(body) {
  const headers = { "content-type": "application/json" };
  return (await (await ask("v1/group", { method: "POST", body, headers })).json()).pictures;
}

/** @typedef {{ rows: number, columns: number, scores: number[][], tile: number, width: number, height: number, range: [number, number] }} QualityMap */

/** @param {import("./state.js").Picture} picture @param {AbortSignal} signal @returns {Promise<QualityMap>} */
export async function explain({ file }, signal) {
  const headers = { "content-type": "application/octet-stream" };
  const response = await ask(`v1/explain${query()}`, { method: "POST", body: file, headers, signal });
  return response.json();
}

/** @param {Record<string, string | undefined>} [more] */
function query(more = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries({ model: state.model?.name, ...more })) if (value) words.set(name, value);
  return words.size > 0 ? `?${words}` : "";
}
