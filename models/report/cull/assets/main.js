import { element } from "./cards.js";
import { asCsv, asJson, download } from "./exports.js";
import { countWords, flip, focusOn, onKey, undoLast, whenChanged } from "./keys.js";
import { applyFilter, filter, turnPage } from "./pages.js";
import { canUndo, changes, forget, recall, sheet } from "./state.js";

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

function showCounts() {
  byId("counts").textContent = countWords(changes());
  /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !canUndo();
  /** @type {HTMLButtonElement} */ (byId("reset")).disabled = changes() === 0;
}

const show = /** @type {HTMLSelectElement} */ (byId("show"));
const named = /** @type {HTMLInputElement} */ (byId("name"));
show.addEventListener("change", () => {
  filter.show = show.value;
  applyFilter();
});
named.addEventListener("input", () => {
  filter.name = named.value.trim();
  applyFilter();
});
byId("undo").addEventListener("click", undoLast);
byId("reset").addEventListener("click", () => {
  forget();
  applyFilter();
  showCounts();
});
byId("csv").addEventListener("click", () => download("choices.csv", "text/csv", asCsv()));
byId("json").addEventListener("click", () => download("choices.json", "application/json", asJson()));
byId("help").addEventListener("click", () => /** @type {HTMLDialogElement} */ (byId("keys")).showModal());
byId("groups").addEventListener("click", (event) => {
  const card = /** @type {HTMLButtonElement | null} */ (/** @type {HTMLElement} */ (event.target).closest(".card"));
  if (!card) return;
  focusOn(card);
  flip(Number(card.dataset["index"]));
});
for (const button of document.querySelectorAll(".turn button")) {
  button.addEventListener("click", () => {
    turnPage(Number(/** @type {HTMLElement} */ (button).dataset["turn"]));
    window.scrollTo(0, 0);
  });
}
document.addEventListener("keydown", onKey);
whenChanged(showCounts);

const failed = sheet.pictures.filter(({ error }) => error !== undefined);
byId("errors").hidden = failed.length === 0;
const body = byId("errors").querySelector("tbody");
for (const { path, error = "" } of failed) {
  const row = element("tr");
  row.append(element("td", "", path), element("td", "", error));
  body?.append(row);
}
recall();
applyFilter();
showCounts();
