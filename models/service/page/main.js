import { models, ServiceError } from "./api.js";
import { updateSummary } from "./charts.js";
import { openCompare, startCompare } from "./compare.js";
import { startCulling } from "./culling.js";
import { openDetail, startDetail } from "./detail.js";
import { byId, element, setText } from "./dom.js";
import { csvText, download, jsonText } from "./download.js";
import { startExport } from "./export.js";
import { filesOfDrop, filesOfInput } from "./files.js";
import { clearFilters, startFilters } from "./filters.js";
import { startGrid, updateGrid } from "./grid.js";
import { startGroups } from "./groups.js";
import { pause, scoreAgain, scoreWaiting } from "./queue.js";
import { addPictures, changed, forgetPictures, onChange, state } from "./state.js";

/** @param {import("./files.js").Files} files */
function takeFiles({ found, leftOut, unreadable }) {
  addPictures(found);
  const noPictures = `${leftOut} ${leftOut === 1 ? "file that is no picture was" : "files that are no pictures were"} left out.`;
  const unread = `${unreadable} ${unreadable === 1 ? "file or folder" : "files or folders"} could not be read.`;
  setText(byId("left-out"), [leftOut && noPictures, unreadable && unread].filter(Boolean).join(" "));
  if (state.model && !state.paused) scoreWaiting();
}

function startTaking() {
  let depth = 0;
  const over = (/** @type {number} */ by) => {
    depth = Math.max(0, depth + by);
    document.body.classList.toggle("over", depth > 0);
  };
  window.addEventListener("dragenter", () => over(1));
  window.addEventListener("dragleave", () => over(-1));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    if (event.dataTransfer) void filesOfDrop(event.dataTransfer).then(takeFiles);
  });
  window.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData?.files.length) takeFiles(filesOfInput(clipboardData.files));
  });
  for (const [button, id] of [
    ["choose-files", "files"],
    ["choose-folder", "folder"],
  ]) {
    const input = /** @type {HTMLInputElement} */ (byId(id ?? ""));
    byId(button ?? "").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files) takeFiles(filesOfInput(input.files));
      input.value = "";
    });
  }
}

function startTools() {
  const order = /** @type {HTMLSelectElement} */ (byId("order"));
  order.value = state.order;
  order.addEventListener("change", () => {
    state.order = /** @type {typeof state.order} */ (order.value);
    changed();
  });
  byId("open-compare").addEventListener("click", openCompare);
  byId("csv").addEventListener("click", () => download("scores.csv", "text/csv", csvText()));
  byId("json").addEventListener("click", () => download("scores.json", "application/json", jsonText()));
  byId("again").addEventListener("click", () => scoreAgain(true));
  byId("pause").addEventListener("click", () => (state.paused ? scoreWaiting() : pause()));
  byId("clear").addEventListener("click", () => {
    pause();
    state.paused = false;
    forgetPictures();
    clearFilters();
    setText(byId("left-out"), "");
    byId("choose-files").focus();
  });
}

/** Asks for the models until the service tells them. */
async function startModels() {
  for (;;) {
    try {
      fillModels(await models());
      state.notice = "";
      scoreWaiting();
      return;
    } catch (error) {
      state.notice = error instanceof ServiceError ? error.message : "The service cannot be reached. Trying again.";
      changed();
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  }
}

/** @param {import("./state.js").Model[]} all */
function fillModels(all) {
  state.model = all[0];
  const choice = /** @type {HTMLSelectElement} */ (byId("model"));
  choice.replaceChildren(...all.map(({ name }) => element("option", { value: name }, name)));
  byId("model-choice").hidden = all.length < 2;
  const describe = () => {
    const [low, high] = state.model?.range ?? [0, 0];
    setText(
      byId("about-model"),
      [
        ...[state.model?.name, state.model?.backbone, `scores from ${low} to ${high}, higher is better`],
        ...(state.model?.tiles ? [`mean over at most ${state.model.tiles} tiles at original size`] : []),
      ].join(" · "),
    );
  };
  choice.addEventListener("change", () => {
    state.model = all.find(({ name }) => name === choice.value);
    state.between = undefined;
    describe();
    scoreAgain(false);
  });
  describe();
}

function updateProgress() {
  const { pictures } = state;
  const count = (/** @type {string} */ stage) => pictures.filter((picture) => picture.stage === stage).length;
  const [scored, failed] = [count("scored"), count("failed")];
  const done = scored + failed;
  const busy = done < pictures.length;
  document.body.classList.toggle("has-pictures", pictures.length > 0);
  for (const id of ["filters", "tools", "grid"]) byId(id).hidden = pictures.length === 0;
  const bar = /** @type {HTMLProgressElement} */ (byId("progress"));
  bar.max = Math.max(1, pictures.length);
  bar.value = done;
  bar.hidden = byId("pause").hidden = !busy;
  setText(byId("pause"), state.paused ? "Go on" : "Pause");
  byId("again").hidden = busy || failed === 0;
  const finished = `${scored} ${scored === 1 ? "picture" : "pictures"} scored${failed ? `, ${failed} without a score` : ""}`;
  // Screen readers tell what changes in the status: not each picture that is done.
  setText(byId("status"), pictures.length === 0 ? "" : !busy ? finished : state.paused ? "Paused" : "Scoring");
  setText(byId("count"), busy ? `${done} of ${pictures.length} done` : "");
  setText(byId("notice"), state.notice);
  for (const id of ["csv", "json"]) /** @type {HTMLButtonElement} */ (byId(id)).disabled = done === 0;
  const compare = /** @type {HTMLButtonElement} */ (byId("open-compare"));
  compare.disabled = state.chosen.length < 2;
  setText(compare, state.chosen.length === 1 ? "Compare (choose one more)" : "Compare two");
}

onChange(updateProgress);
onChange(updateSummary);
onChange(updateGrid);
startTaking();
startTools();
startFilters();
startGrid(openDetail);
startDetail();
startCompare();
startCulling();
startExport();
startGroups();
changed();
void startModels();
