import { codeColumns, columns, isText } from "./columns.js";
import { byId, element } from "./dom.js";
import { dash, grouped, percent } from "./format.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./columns.js").Column} Column */

/** All kernels: sorted by a column, filtered, one selected. @param {Store} store */
export function kernelTable(store) {
  new KernelTable(store);
}

class KernelTable {
  /** @type {readonly Column[]} */
  #columns;
  /** @type {Set<string>} */
  #shown;
  /** @type {Column} */
  #by = /** @type {Column} */ (columns.find(({ key }) => key === "total"));
  #descending = true;
  /** Kernels in order, those that are filtered out too. @type {number[]} */
  #order = [];
  /** @type {HTMLTableRowElement[]} */
  #rows = [];
  #table = byId("kernel-table");
  #count = byId("kernel-count");

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.#columns = [...columns, ...codeColumns(store.profile.kernels)];
    this.#shown = new Set(this.#columns.filter(({ shown }) => shown).map(({ key }) => key));
    this.#fitColumns();
    this.#tools();
    this.#table.addEventListener("keydown", (event) => this.#key(event));
    this.#build();
    store.subscribe((changed) => {
      if (changed.has("filter")) this.#filter();
      if (changed.has("selected")) this.#select();
    });
  }

  /** Scopes are shown where there are some, layers and phases only where there are any. */
  #fitColumns() {
    const { kernels } = this.store.profile;
    if (kernels.some(({ scope }) => scope)) this.#shown.add("scope");
    if (kernels.length === 0 || kernels.some(({ layer, phase }) => layer !== "" || phase !== "other")) return;
    for (const key of ["layer", "phase"]) this.#shown.delete(key);
  }

  #tools() {
    const { store } = this;
    const text = /** @type {HTMLInputElement} */ (byId("filter-text"));
    text.addEventListener("input", () => store.set({ text: text.value }));
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      text.value = "";
      store.set({ text: "" });
    });
    const phase = /** @type {HTMLSelectElement} */ (byId("filter-phase"));
    phase.append(...store.colours.phases.map((name) => element("option", { value: name }, name)));
    phase.addEventListener("change", () => store.set({ phase: phase.value }));
    byId("column-choice").append(
      ...this.#columns.map(({ key, title, explanation }) => {
        const box = element("input", {
          type: "checkbox",
          // A reload starts afresh, so the browser must not restore the boxes.
          autocomplete: "off",
          checked: this.#shown.has(key),
          onchange: () => {
            if (box.checked) this.#shown.add(key);
            else this.#shown.delete(key);
            this.#build();
          },
        });
        return element("label", { title: explanation }, box, title);
      }),
    );
    const chip = byId("filter-group");
    chip.addEventListener("click", () => store.set({ group: null }));
    store.subscribe((changed) => {
      if (!changed.has("group")) return;
      const { group } = store.choice;
      chip.hidden = group === null;
      chip.textContent = group ? `${group.by}: ${group.value} ✕` : "";
    });
  }

  #build() {
    const largest = this.store.profile.kernels.reduce((most, { share }) => Math.max(most, share), 0);
    const visible = this.#columns.filter(({ key }) => this.#shown.has(key));
    const heads = visible.map((column) =>
      element(
        "th",
        {
          scope: "col",
          class: isText(column) ? undefined : "number",
          "aria-sort": this.#by === column ? (this.#descending ? "descending" : "ascending") : undefined,
        },
        element(
          "button",
          { type: "button", title: column.explanation, "data-key": column.key, onclick: () => this.#sortBy(column) },
          column.title,
        ),
      ),
    );
    this.#rows = this.store.profile.kernels.map((kernel, index) =>
      element(
        "tr",
        {
          "data-kernel": index,
          tabindex: -1,
          onclick: () => this.store.set({ selected: this.store.choice.selected === index ? -1 : index }),
        },
        ...visible.map((column) => cell(column, kernel, largest)),
      ),
    );
    this.#table.replaceChildren(
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody"),
      element(
        "tfoot",
        {},
        element(
          "tr",
          {},
          ...visible.map((column) =>
            element("td", {
              class: isText(column) ? undefined : "number",
              "data-sum": column.sums ? column.key : undefined,
            }),
          ),
        ),
      ),
    );
    this.#sort();
    this.#filter();
    this.#select(false);
  }

  /** @param {Column} column */
  #sortBy(column) {
    // Numbers from the largest first, words from A.
    this.#descending = this.#by === column ? !this.#descending : !isText(column);
    this.#by = column;
    for (const head of this.#table.querySelectorAll("th")) {
      const chosen = head.querySelector("button")?.dataset["key"] === column.key;
      if (chosen) head.setAttribute("aria-sort", this.#descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.#sort();
  }

  #sort() {
    const { kernels } = this.store.profile;
    const values = kernels.map((kernel) => this.#by.value(kernel));
    const sign = this.#descending ? -1 : 1;
    this.#order = kernels
      .map((_, index) => index)
      .sort((a, b) => {
        const [left, right] = [values[a], values[b]];
        // What is not there comes last in either direction.
        const absent = Number(left === null || left === "") - Number(right === null || right === "");
        if (absent !== 0) return absent;
        if (typeof left === "string") return sign * left.localeCompare(String(right), "en", { numeric: true });
        return sign * (Number(left) - Number(right)) || a - b;
      });
    this.#table.querySelector("tbody")?.append(...this.#order.flatMap((index) => this.#rows[index] ?? []));
  }

  #filter() {
    const { kernels } = this.store.profile;
    this.#rows.forEach((row, index) => {
      row.hidden = !this.store.shows(index);
    });
    const passing = kernels.filter((_, index) => this.store.shows(index));
    this.#count.textContent = this.store.filtered
      ? `${grouped(passing.length)} of ${grouped(kernels.length)} kernels`
      : `${grouped(kernels.length)} ${kernels.length === 1 ? "kernel" : "kernels"}`;
    const foot = [.../** @type {NodeListOf<HTMLElement>} */ (this.#table.querySelectorAll("tfoot td"))];
    for (const place of foot) {
      const column = columns.find(({ key }) => key === place.dataset["sum"]);
      if (!column) continue;
      const known = passing.some((kernel) => column.value(kernel) !== null);
      const sum = passing.reduce((total, kernel) => total + Number(column.value(kernel) ?? 0), 0);
      place.textContent = !known
        ? dash
        : column.key === "share"
          ? percent(sum)
          : grouped(sum, Number.isInteger(sum) && !column.title.endsWith("ms") ? 0 : 3);
      place.dataset["value"] = String(sum);
    }
    const first = foot[0];
    if (first) first.textContent = "sum";
    byId("no-kernel").hidden = passing.length > 0;
  }

  #select(scroll = true) {
    const { selected } = this.store.choice;
    const entry = selected >= 0 ? selected : this.#order.find((index) => this.store.shows(index));
    this.#rows.forEach((row, index) => {
      row.setAttribute("aria-selected", String(index === selected));
      row.tabIndex = index === entry ? 0 : -1;
    });
    const row = this.#rows[selected];
    const box = this.#table.parentElement;
    if (!scroll || !row || row.hidden || !box) return;
    // Only the box of the table scrolls: the reader may be looking at a chart.
    const head = this.#table.querySelector("thead")?.offsetHeight ?? 0;
    const foot = this.#table.querySelector("tfoot")?.offsetHeight ?? 0;
    if (row.offsetTop < box.scrollTop + head) box.scrollTop = row.offsetTop - head;
    else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight - foot)
      box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight + foot;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const row = event.target instanceof HTMLTableRowElement ? event.target : null;
    if (!row) return;
    const visible = this.#order.filter((index) => this.store.shows(index));
    const at = visible.indexOf(Number(row.dataset["kernel"]));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: visible.length - 1, Enter: at, " ": at }[event.key];
    if (event.key === "Escape") this.store.set({ selected: -1 });
    const next = visible[to ?? -1];
    if (next === undefined) return;
    event.preventDefault();
    this.store.set({ selected: next });
    this.#rows[next]?.focus({ preventScroll: true });
  }
}

/** @param {Column} column @param {import("./state.js").Kernel} kernel @param {number} largest share of the time */
function cell(column, kernel, largest) {
  const value = column.value(kernel);
  const text = column.text ? column.text(kernel) : String(value ?? "");
  const bar = column.key === "share" ? kernel.share / Math.max(largest, 1e-12) : column.bar?.(kernel);
  const inner =
    column.key === "phase"
      ? [element("i", { class: "dot", style: `background:var(--${kernel.phase})` }), text]
      : [text];
  return element(
    "td",
    {
      class: isText(column) ? `text ${column.key}` : "number",
      "data-key": column.key,
      "data-value": value ?? "",
      title: isText(column) && text.length > 18 ? text : undefined,
      style: bar === undefined ? undefined : `--bar:${(100 * bar).toFixed(1)}%`,
    },
    ...inner,
  );
}
