import { headroom } from "./columns.js";
import { assemblyParts, lineLink, links, places, sourceParts } from "./detail-source.js";
import { byId, drawing, drawOnResize, element } from "./dom.js";
import { amount, bytes, dash, grouped, percent, significant, time } from "./format.js";
import { lineOf } from "./wgsl.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./state.js").Kernel} Kernel */

/** Everything about the selected kernel, and a strip at the edge of the window while that is out of sight. @param {Store} store */
export function detail(store) {
  const host = byId("detail");
  const empty = [...host.childNodes];
  const strip = byId("strip");
  let inSight = false;
  const showStrip = () => {
    strip.hidden = inSight || store.choice.selected < 0;
  };
  new IntersectionObserver((entries) => {
    inSight = entries.some(({ isIntersecting }) => isIntersecting);
    showStrip();
  }).observe(host);
  store.subscribe((changed) => {
    if (!changed.has("selected")) return;
    const kernel = store.profile.kernels[store.choice.selected];
    host.replaceChildren(...(kernel ? pane(kernel, store) : empty));
    strip.replaceChildren(...(kernel ? stripOf(kernel, store) : []));
    showStrip();
  });
}

/** @param {Kernel} kernel @param {Store} store */
function stripOf(kernel, store) {
  const { milliseconds, roof } = kernel;
  return [
    element("strong", {}, kernel.op),
    element("span", {}, kernel.layer || kernel.kernel),
    element("span", {}, `${time(milliseconds.total)}, ${percent(kernel.share)}`),
    element(
      "span",
      {},
      roof ? `${percent(roof.share)} of the ${roof.binds} roof` : `median ${time(milliseconds.median)}`,
    ),
    element("a", { href: "#detail" }, "details"),
    element(
      "button",
      { type: "button", "aria-label": "clear the selection", onclick: () => store.set({ selected: -1 }) },
      "✕",
    ),
  ];
}

/** @param {Kernel} kernel @param {Store} store @returns {Node[]} */
function pane(kernel, store) {
  const source = store.profile.sources[kernel.source];
  const parts = [
    element("h3", {}, element("i", { class: "dot", style: `background:var(--${kernel.phase})` }), kernel.kernel),
    element(
      "p",
      { class: "path" },
      [kernel.op, kernel.layer, kernel.scope, kernel.phase, kernel.variant].filter(Boolean).join(" · "),
    ),
    links(kernel, source),
    element(
      "div",
      { class: "facts" },
      facts("Time", timeFacts(kernel)),
      facts("Work of one call", workFacts(kernel)),
      facts("Launch", launchFacts(kernel, store)),
      facts(
        "Arguments",
        Object.entries(kernel.shapes).map(([name, shape]) => [
          name,
          kernel.halves.includes(name) && !shape.endsWith("f16") ? `${shape}, stored as f16` : shape,
        ]),
        source,
      ),
      facts(
        "Constants",
        Object.entries(kernel.constants).map(([name, value]) => [name, String(value)]),
        source,
      ),
    ),
    places(kernel),
    callChart(kernel, store),
    ...sourceParts(kernel, source),
    ...(kernel.machineCode ?? []).flatMap((code) => assemblyParts(code, store)),
  ];
  return parts.filter((part) => part !== null);
}

/** @param {string} title @param {readonly (readonly [string, string])[]} pairs @param {string} [source] whose lines declare them */
function facts(title, pairs, source) {
  if (pairs.length === 0) return null;
  return element(
    "section",
    {},
    element("h4", {}, title),
    element(
      "dl",
      {},
      ...pairs.flatMap(([name, value]) => {
        const line = source === undefined ? 0 : lineOf(source, name);
        return [element("dt", {}, line > 0 ? lineLink(name, "wgsl", line) : name), element("dd", {}, value)];
      }),
    ),
  );
}

/** @param {Kernel} kernel @returns {[string, string][]} */
function timeFacts(kernel) {
  const { milliseconds, roof } = kernel;
  const saved = headroom(kernel);
  return [
    ["total", `${time(milliseconds.total)} (${percent(kernel.share)})`],
    ["median", `${time(milliseconds.median)} ± ${time(milliseconds.spread)}`],
    ["least to most", `${time(milliseconds.least)} to ${time(milliseconds.most)}`],
    ["calls", callsText(kernel)],
    ["binding roof", roof ? `${roof.binds}, ${percent(roof.share)} reached` : dash],
    ...(roof && saved !== null
      ? /** @type {[string, string][]} */ ([
          ["at that roof", `${time(milliseconds.median * roof.share)} a call, saves ${time(saved)}`],
        ])
      : []),
  ];
}

/** @param {Kernel} kernel */
function callsText({ calls, coldCalls, taintedCalls = 0 }) {
  const cold = coldCalls > 0 ? `, ${grouped(coldCalls)} cold` : "";
  return `${grouped(calls)}${cold}${taintedCalls > 0 ? `, ${grouped(taintedCalls)} tainted` : ""}`;
}

/** @param {Kernel} kernel @returns {[string, string][]} */
function workFacts({ flops, bytes: traffic, gflops, GBps, intensity }) {
  return [
    ["arithmetic", flops === null ? "not declared" : `${amount(flops)} FLOP`],
    ["traffic", bytes(traffic)],
    ["rate", `${gflops === null ? "" : `${significant(gflops)} GFLOP/s, `}${significant(GBps)} GB/s`],
    ["intensity", intensity === null ? dash : `${significant(intensity)} FLOP/byte`],
  ];
}

/** @param {Kernel} kernel @param {Store} store @returns {[string, string][]} */
function launchFacts({ workgroup, grid, workgroupBytes, machineCode = [], id }, store) {
  const invocations = workgroup.reduce((a, b) => a * b, 1);
  const groups = grid.reduce((a, b) => a * b, 1);
  const { subgroupSize } = store.profile.machine;
  const subgroups = subgroupSize > 0 ? ` (${significant(invocations / subgroupSize, 1)} subgroups)` : "";
  return [
    ["workgroup", `${workgroup.join(" × ")} = ${grouped(invocations)}${subgroups}`],
    ["grid", `${grid.join(" × ")} = ${grouped(groups)}`],
    ["invocations", grouped(invocations * groups)],
    ["workgroup memory", bytes(workgroupBytes)],
    ...machineCode.map(codeFact),
    ["id", id],
  ];
}

/** @param {NonNullable<Kernel["machineCode"]>[number]} code @returns {[string, string]} */
function codeFact({ gpu, wave, waves, limit, ...code }) {
  const registers = `${code.vectorRegisters ?? "?"} vector and ${code.scalarRegisters ?? "?"} scalar registers`;
  const spills = `${code.spilledVectorRegisters ?? "?"} + ${code.spilledScalarRegisters ?? "?"} spilled`;
  const fit = waves === null ? "" : `, ${waves} waves a SIMD (${limit})`;
  return [`${gpu}, waves of ${wave}`, `${registers}, ${spills}${fit}`];
}

/** Duration of each call over time: does it drift, does it scatter? @param {Kernel} kernel @param {Store} store */
function callChart({ milliseconds }, store) {
  const calls = store.profile.events.filter(({ kernel }) => kernel === store.choice.selected);
  if (calls.length < 2) return null;
  const host = element("div", { class: "calls" });
  const warm = calls.filter(({ cold }) => !cold);
  const most =
    1.15 * (warm.length > 0 ? warm : calls).reduce((longest, { durationMs }) => Math.max(longest, durationMs), 1e-9);
  const end = calls.reduce((last, { startMs }) => Math.max(last, startMs), 0);
  const beyond = calls.filter(({ durationMs }) => durationMs > most).length;
  const note = `cold calls are rings${beyond > 0 ? `; ${beyond} beyond the scale, at the upper edge` : ""}`;
  drawOnResize(host, (width) => {
    const height = 96;
    const [left, right] = [66, width - 10];
    const x = (/** @type {number} */ ms) => left + (ms / end) * (right - left);
    const y = (/** @type {number} */ ms) => height - 8 - (Math.min(ms, most) / most) * (height - 18);
    host.replaceChildren(
      drawing(
        "svg",
        { width, height, role: "img", "aria-label": `Duration of each of ${calls.length} calls` },
        ...[0, milliseconds.median].flatMap((value) => [
          drawing("line", { class: value === 0 ? "grid" : "median", x1: left, x2: right, y1: y(value), y2: y(value) }),
          drawing(
            "text",
            { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" },
            value === 0 ? "0" : time(value),
          ),
        ]),
        drawing("path", {
          class: "warm",
          // Lines without length: their round ends are dots, however many there are.
          d: dots(warm, x, y),
        }),
        ...calls
          .filter(({ cold }) => cold)
          .map(({ startMs, durationMs }) =>
            drawing("circle", { class: "cold", cx: x(startMs), cy: y(durationMs), r: 2.5 }),
          ),
      ),
    );
  });
  return element("section", {}, element("h4", {}, "Each call over time ", element("small", {}, note)), host);
}

/** One dot for all calls that would lie on each other. @param {readonly { startMs: number, durationMs: number }[]} calls @param {(ms: number) => number} x @param {(ms: number) => number} y */
function dots(calls, x, y) {
  const seen = new Set();
  let path = "";
  for (const { startMs, durationMs } of calls) {
    const dot = `M${Math.round(2 * x(startMs)) / 2} ${Math.round(2 * y(durationMs)) / 2}h0`;
    if (seen.has(dot)) continue;
    seen.add(dot);
    path += dot;
  }
  return path;
}
