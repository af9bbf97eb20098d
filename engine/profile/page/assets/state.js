import { element } from "./dom.js";
import { percent, significant, time } from "./format.js";

/** @typedef {import("../../profile.ts").Profile} Profile */
/** @typedef {import("../../profile.ts").KernelProfile} Kernel */
/** @typedef {"op" | "layer" | "phase" | "kernel" | "scope"} Grouping */

/**
 * What the user has chosen. Kernels are named by their index in the profile.
 * @typedef {object} Choice
 * @property {number} selected  -1: none
 * @property {number} hovered  -1: none
 * @property {string} text  words that a row must have; with a leading minus, must not have
 * @property {string} phase  empty: all
 * @property {{ by: Grouping, value: string } | null} group
 * @property {"phase" | "op"} colour
 */

/** The one place that knows the choice: views subscribe, and are told which fields changed. */
export class Store {
  /** @type {Choice} */
  choice = { selected: -1, hovered: -1, text: "", phase: "", group: null, colour: "phase" };
  /** @type {((changed: Set<string>) => void)[]} */
  #views = [];
  /** @type {boolean[]} */
  #shown;

  /** @param {Profile} profile */
  constructor(profile) {
    this.profile = profile;
    this.colours = new Colours(profile);
    // Where there is one phase only its colour tells nothing.
    if (this.colours.phases.length === 1) this.choice.colour = "op";
    this.#shown = profile.kernels.map(() => true);
    this.texts = profile.kernels.map((kernel) => searchText(kernel));
  }

  /** @param {(changed: Set<string>) => void} view */
  subscribe(view) {
    this.#views.push(view);
  }

  /** @param {Partial<Choice>} patch */
  set(patch) {
    const now = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (this.choice));
    const changed = new Set(Object.entries(patch).flatMap(([name, value]) => (now[name] === value ? [] : [name])));
    if (changed.size === 0) return;
    Object.assign(this.choice, patch);
    if (changed.has("text") || changed.has("phase") || changed.has("group")) {
      changed.add("filter");
      this.#shown = this.profile.kernels.map((kernel, index) => this.#passes(kernel, index));
    }
    for (const view of this.#views) view(changed);
  }

  /** Whether a kernel passes the filters. @param {number} index */
  shows(index) {
    return this.#shown[index] ?? false;
  }

  get filtered() {
    return this.#shown.includes(false);
  }

  /** @param {Kernel} kernel @param {number} index */
  #passes(kernel, index) {
    const { text, phase, group } = this.choice;
    if (phase && kernel.phase !== phase) return false;
    if (group && groupOf(kernel, group.by) !== group.value) return false;
    return text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => {
        if (word === "" || word === "-") return true;
        return word.startsWith("-") ? !this.texts[index]?.includes(word.slice(1)) : this.texts[index]?.includes(word);
      });
  }
}

/** @param {Kernel} kernel */
function searchText({ kernel, op, layer, phase, scope = "", variant, shapes, stacks = [], roof }) {
  const names = Object.entries(shapes).flat();
  const places = stacks.map(({ frames }) => frames[0] ?? "");
  return [kernel, op, layer, phase, scope, variant, ...names, ...places, roof?.binds ?? ""].join(" ").toLowerCase();
}

/** @param {Kernel} kernel @param {Grouping} by */
export function groupOf(kernel, by) {
  return kernel[by] || `(no ${by})`;
}

const phaseNames = ["forward", "backward", "optimiser", "graph", "input", "other"];
const opColours = 9;

/** Colours by phase, or by op: the ops that take most time have one each, the others share grey. */
class Colours {
  /** @param {Profile} profile */
  constructor({ kernels }) {
    const totals = totalsBy(kernels, (kernel) => kernel.op);
    this.ops = [...totals].sort((a, b) => b[1] - a[1]).map(([op]) => op);
    this.phases = phaseNames.filter((phase) => kernels.some((kernel) => kernel.phase === phase));
  }

  /** The categories with their colours, in order. @param {"phase" | "op"} by */
  legend(by) {
    if (by === "phase") return this.phases.map((name) => ({ name, colour: `var(--${name})` }));
    const named = this.ops.slice(0, opColours).map((name, index) => ({ name, colour: `var(--op${index})` }));
    return this.ops.length > opColours ? [...named, { name: "other ops", colour: "var(--other)" }] : named;
  }

  /** Index into the legend. @param {Kernel} kernel @param {"phase" | "op"} by */
  category(kernel, by) {
    if (by === "phase") return this.phases.indexOf(kernel.phase);
    return Math.min(opColours, this.ops.indexOf(kernel.op));
  }
}

/** @param {readonly Kernel[]} kernels @param {(kernel: Kernel) => string} name */
function totalsBy(kernels, name) {
  /** @type {Map<string, number>} */
  const totals = new Map();
  for (const kernel of kernels) totals.set(name(kernel), (totals.get(name(kernel)) ?? 0) + kernel.milliseconds.total);
  return totals;
}

/** The lines of a kernel's tooltip. @param {Kernel} kernel */
export function kernelLines(kernel) {
  const { milliseconds, gflops, GBps, roof } = kernel;
  const rate = [gflops === null ? "" : `${significant(gflops)} GFLOP/s`, `${significant(GBps)} GB/s`]
    .filter(Boolean)
    .join(", ");
  return [
    element("strong", {}, [kernel.op, kernel.layer || kernel.scope].filter(Boolean).join(" · ")),
    `${kernel.kernel} ${kernel.variant} · ${kernel.phase}`,
    `median ${time(milliseconds.median)}, ${kernel.calls} calls, ${time(milliseconds.total)} (${percent(kernel.share)})`,
    roof ? `${rate}: ${percent(roof.share)} of the ${roof.binds} roof` : rate,
  ];
}
