// The fields that say which pictures are shown.
import { byId, setText } from "./dom.js";
import { shown } from "./shown.js";
import { changed, noFilter, onChange, state } from "./state.js";

const control = (/** @type {string} */ name) =>
  /** @type {HTMLInputElement | HTMLSelectElement} */ (byId(`filter-${name}`));

export function startFilters() {
  clearFilters();
  byId("filters").addEventListener("input", () => {
    readFields();
    changed();
  });
  byId("show-all").addEventListener("click", () => {
    clearFilters();
    // The button goes away.
    byId("order").focus();
  });
  onChange(showCount);
}

function readFields() {
  const number = (/** @type {string} */ name) => {
    const value = control(name).value;
    return value === "" ? undefined : Number(value);
  };
  const share = number("share");
  state.filter = {
    name: control("name").value.trim(),
    from: number("from"),
    to: number("to"),
    end: /** @type {import("./state.js").Filter["end"]} */ (control("end").value),
    share: share === undefined ? noFilter().share : Math.min(100, Math.max(0, share)),
    decision: /** @type {import("./state.js").Filter["decision"]} */ (control("decision").value),
  };
  byId("share-field").hidden = !state.filter.end;
}

/** Shows all pictures again. */
export function clearFilters() {
  const none = noFilter();
  for (const name of /** @type {const} */ (["name", "from", "to", "end", "share", "decision"]))
    control(name).value = String(none[name] ?? "");
  readFields();
  state.between = undefined;
  changed();
}

function showCount() {
  const { name, from, to, end, decision } = state.filter;
  const isFiltered = Boolean(state.between || name || from !== undefined || to !== undefined || end || decision);
  const count = isFiltered ? shown().length : 0;
  byId("show-all").hidden = !isFiltered;
  setText(byId("shown-count"), isFiltered ? `${count} of ${state.pictures.length} shown` : "");
  byId("nothing").hidden = !isFiltered || count > 0;
}
