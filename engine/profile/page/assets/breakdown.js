import { byId, choiceButtons, element } from "./dom.js";
import { percent, time } from "./format.js";
import { groupOf } from "./state.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./state.js").Grouping} Grouping */

const most = 14;
/** @type {readonly Grouping[]} */
const groupings = ["op", "layer", "scope", "phase", "kernel"];

/** Time by op, layer, phase or kernel; parts of a bar are phases. A click filters by it. @param {Store} store */
export function breakdown(store) {
  /** @type {Grouping} */
  let by = "op";
  let all = false;
  const host = byId("breakdown");
  const draw = () => {
    const groups = groupKernels(store.profile.kernels, by);
    const shown = all ? groups : groups.slice(0, most);
    const longest = groups[0]?.total ?? 0;
    const rows = shown.map((group) => row(group, longest, by, store));
    const more =
      groups.length > most &&
      element(
        "button",
        {
          type: "button",
          class: "more",
          onclick: () => {
            all = !all;
            draw();
          },
        },
        all ? "show the first only" : `show all ${groups.length}`,
      );
    host.replaceChildren(
      rows.length > 0 ? element("ol", { class: "bars" }, ...rows) : element("p", { class: "empty" }, "No kernel ran."),
      ...(more ? [more] : []),
    );
  };
  byId("breakdown-by").append(
    choiceButtons("by", useful(store), by, (choice) => {
      by = /** @type {Grouping} */ (choice);
      all = false;
      draw();
    }),
  );
  store.subscribe((changed) => {
    if (changed.has("group")) draw();
  });
  draw();
}

/** Those that tell kernels apart. @param {Store} store */
function useful({ profile: { kernels } }) {
  const apart = groupings.filter((by) => by === "op" || new Set(kernels.map((kernel) => groupOf(kernel, by))).size > 1);
  return kernels.some(({ scope }) => scope) ? apart : apart.filter((by) => by !== "scope");
}

/** @typedef {{ name: string, total: number, share: number, calls: number, phases: Map<string, number> }} Group */

/** @param {readonly import("./state.js").Kernel[]} kernels @param {Grouping} by */
function groupKernels(kernels, by) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const kernel of kernels) {
    const name = groupOf(kernel, by);
    const group = groups.get(name) ?? { name, total: 0, share: 0, calls: 0, phases: new Map() };
    groups.set(name, group);
    group.total += kernel.milliseconds.total;
    group.share += kernel.share;
    group.calls += kernel.calls;
    group.phases.set(kernel.phase, (group.phases.get(kernel.phase) ?? 0) + kernel.milliseconds.total);
  }
  return [...groups.values()].sort((a, b) => b.total - a.total);
}

/** @param {Group} group @param {number} longest @param {Grouping} by @param {Store} store */
function row({ name, total, share, calls, phases }, longest, by, store) {
  const parts = store.colours.phases
    .map((phase) => ({ phase, ms: phases.get(phase) ?? 0 }))
    .filter(({ ms }) => ms > 0)
    .map(({ phase, ms }) =>
      element("i", {
        style: `width:${(100 * ms) / longest}%;background:var(--${phase})`,
        title: `${phase} ${time(ms)}`,
      }),
    );
  const chosen = store.choice.group?.by === by && store.choice.group.value === name;
  return element(
    "li",
    {},
    element(
      "button",
      {
        type: "button",
        "aria-pressed": String(chosen),
        "data-value": total,
        title: `${name}: ${time(total)} in ${calls} calls. Click: show its kernels only`,
        onclick: () => store.set({ group: chosen ? null : { by, value: name } }),
      },
      element("span", { class: "name" }, name),
      element("span", { class: "bar" }, ...parts),
      element("span", { class: "value" }, time(total)),
      element("span", { class: "value" }, percent(share)),
    ),
  );
}
