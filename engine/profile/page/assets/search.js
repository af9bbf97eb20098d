import { byId, element } from "./dom.js";
import { time } from "./format.js";
import { showLine } from "./wgsl.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {{ title: string, aside: string, go: () => void }} Hit */

const mostOfAKind = 12;

/** Finds kernels, and lines of their sources and assemblies; a hit is selected and shown. @param {Store} store */
export function search(store) {
  new Search(store);
}

class Search {
  #input = /** @type {HTMLInputElement} */ (byId("search"));
  #list = byId("search-hits");
  /** @type {Hit[]} */
  #hits = [];
  #at = 0;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.#input.addEventListener("input", () => this.#find());
    this.#input.addEventListener("focus", () => this.#find());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, select, textarea");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#input.focus();
    });
  }

  #find() {
    const text = this.#input.value.trim().toLowerCase();
    this.#at = 0;
    this.#hits = text === "" ? [] : [...this.#kernels(text), ...this.#lines(text)];
    this.#draw(text);
  }

  /** @param {string} text @returns {Hit[]} */
  #kernels(text) {
    const { kernels } = this.store.profile;
    const words = text.split(/\s+/);
    return kernels
      .map((kernel, index) => ({ kernel, index }))
      .filter(({ index }) => words.every((word) => this.store.texts[index]?.includes(word)))
      .sort((a, b) => b.kernel.milliseconds.total - a.kernel.milliseconds.total)
      .slice(0, mostOfAKind)
      .map(({ kernel, index }) => ({
        title: [kernel.op, kernel.layer || kernel.scope, kernel.kernel].filter(Boolean).join(" · "),
        aside: `${time(kernel.milliseconds.total)}`,
        go: () => this.#select(index),
      }));
  }

  /** @param {string} text @returns {Hit[]} */
  #lines(text) {
    const { kernels, sources, assemblies = {} } = this.store.profile;
    /** @type {Hit[]} */
    const hits = [];
    /** @param {string} source @param {number} kernel @param {string} box @param {string} name */
    const look = (source, kernel, box, name) => {
      const lines = source.split("\n");
      for (let at = 0; at < lines.length && hits.length < mostOfAKind; at++) {
        const line = lines[at] ?? "";
        if (!line.toLowerCase().includes(text)) continue;
        const go = () => {
          this.#select(kernel);
          showLine(document.getElementById(box), at + 1);
        };
        hits.push({ title: line.trim(), aside: `${name}:${at + 1}`, go });
      }
    };
    for (const [hash, source] of Object.entries(sources)) {
      const kernel = kernels.findIndex((entry) => entry.source === hash);
      if (kernel >= 0) look(source, kernel, "wgsl", kernels[kernel]?.kernel ?? "");
    }
    kernels.forEach(({ machineCode = [] }, kernel) => {
      for (const { gpu, assembly = "" } of machineCode)
        if (assemblies[assembly]) look(assemblies[assembly], kernel, `assembly-${gpu}`, `${gpu} assembly`);
    });
    return hits;
  }

  /** @param {number} kernel */
  #select(kernel) {
    this.store.set({ selected: kernel });
    byId("detail").scrollIntoView({ block: "start" });
  }

  /** @param {string} text */
  #draw(text) {
    const none = text !== "" && this.#hits.length === 0;
    this.#list.hidden = text === "";
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
    this.#list.replaceChildren(
      ...this.#hits.map(({ title, aside, go }, index) =>
        element(
          "li",
          {
            role: "option",
            id: `hit-${index}`,
            "aria-selected": String(index === this.#at),
            // Before the box loses the focus and the list is gone.
            onmousedown: (/** @type {MouseEvent} */ event) => {
              event.preventDefault();
              this.#take(go);
            },
          },
          element("span", { class: "hit-title" }, title),
          element("small", { class: "hit-aside" }, aside),
        ),
      ),
      ...(none ? [element("li", { class: "empty" }, "Neither a kernel nor a line of source has this.")] : []),
    );
    this.#input.setAttribute("aria-activedescendant", this.#hits.length > 0 ? `hit-${this.#at}` : "");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      this.#input.value = "";
      this.#find();
    } else if (event.key === "Enter") {
      const hit = this.#hits[this.#at];
      if (hit) this.#take(hit.go);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const count = Math.max(1, this.#hits.length);
      this.#at = (this.#at + (event.key === "ArrowDown" ? 1 : -1) + count) % count;
      this.#draw(this.#input.value.trim());
      document.getElementById(`hit-${this.#at}`)?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  /** @param {() => void} go */
  #take(go) {
    this.#close();
    go();
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
  }
}
