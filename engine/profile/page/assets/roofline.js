import { byId, drawing, drawOnResize, element, showTip } from "./dom.js";
import { percent, significant, time } from "./format.js";
import { besideMark, besidePoints, drawOtherRoofs, otherLegend, roofLines } from "./roofline-others.js";
import { kernelLines } from "./state.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./roofline-others.js").Other} Other */
/** @typedef {{ low: number, high: number, at: (value: number) => number }} Scale */

const height = 400;
const margin = { left: 62, right: 18, top: 18, bottom: 46 };

/** Rates against intensity, both logarithmic, under the roofs. @param {Store} store @param {readonly Other[]} others whose kernels are shown beside */
export function roofline(store, others) {
  const { kernels } = store.profile;
  const roofs = roofLines(store.profile.roofs);
  const plotted = kernels
    .map((kernel, index) => ({ kernel, index, x: kernel.intensity ?? 0, y: kernel.gflops ?? 0 }))
    .filter(({ x, y }) => x > 0 && y > 0)
    .sort((a, b) => b.kernel.share - a.kernel.share);
  const host = byId("roofline");
  byId("roofline-note").textContent = noteOf(
    kernels,
    plotted.map(({ index }) => index),
    roofs !== null,
  );
  const beside = besidePoints(others);
  otherLegend(others);
  if (plotted.length + beside.length === 0) {
    host.replaceChildren(element("p", { class: "empty" }, emptyText(kernels)));
    return;
  }
  /** @type {SVGElement[]} */
  let marks = [];
  const restyle = () => {
    const { selected, colour } = store.choice;
    const legend = store.colours.legend(colour);
    plotted.forEach(({ kernel, index }, order) => {
      const mark = marks[order];
      mark?.setAttribute("fill", legend[store.colours.category(kernel, colour)]?.colour ?? "var(--other)");
      mark?.classList.toggle("dim", !store.shows(index));
      mark?.classList.toggle("selected", index === selected);
    });
    const chosen = plotted.findIndex(({ index }) => index === selected);
    if (chosen >= 0) marks[chosen]?.parentNode?.append(/** @type {SVGElement} */ (marks[chosen]));
  };
  drawOnResize(host, (width) => {
    const { x, y } = scales([...plotted, ...beside], roofs, width);
    marks = plotted.map((point) => pointMark(point, x, y, store));
    const group = drawing("g", { class: "points" }, ...marks);
    const drawn = roofs ? drawRoofs(roofs, x, y) : { lines: [], names: [] };
    const otherRoofs = others.flatMap((other, at) => drawOtherRoofs(other, at, x, y));
    const besides = drawing("g", { class: "beside-points" }, ...beside.map((point) => besideMark(point, x, y)));
    const svg = drawing(
      "svg",
      {
        width,
        height,
        role: "application",
        tabindex: 0,
        "aria-label": "Roofline plot: arrow keys go through the kernels by their time",
        onkeydown: (/** @type {KeyboardEvent} */ event) => step(event, plotted, store),
      },
      ...axes(x, y, width),
      ...drawn.lines,
      ...otherRoofs,
      besides,
      group,
      ...drawn.names,
    );
    host.replaceChildren(svg);
    restyle();
  });
  store.subscribe((changed) => {
    if (changed.has("selected") || changed.has("filter") || changed.has("colour")) restyle();
  });
}

/** @param {import("./state.js").Profile["kernels"]} kernels */
function emptyText(kernels) {
  const isProgram = kernels.some(({ entryPoint }) => entryPoint);
  const advice = isProgram ? " acutance profile --flops KERNEL=EXPRESSION tells what a kernel does." : "";
  return `No kernel declares its arithmetic: there is nothing to plot.${advice}`;
}

/** @param {KeyboardEvent} event @param {readonly { index: number }[]} plotted @param {Store} store */
function step(event, plotted, store) {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const visible = plotted.filter(({ index }) => store.shows(index));
  if (visible.length === 0) return;
  const at = visible.findIndex(({ index }) => index === store.choice.selected);
  const next = at < 0 ? 0 : (at + by + visible.length) % visible.length;
  store.set({ selected: visible[next]?.index ?? -1 });
}

/** @param {import("./state.js").Profile["kernels"]} kernels @param {readonly number[]} plotted @param {boolean} withRoofs */
function noteOf(kernels, plotted, withRoofs) {
  const left = kernels.filter((_, index) => !plotted.includes(index));
  const share = left.reduce((sum, kernel) => sum + kernel.share, 0);
  const parts = ["Area: share of the time."];
  if (!withRoofs) parts.push("No roofs were measured for this profile.");
  if (left.length > 0)
    parts.push(
      `${left.length} of ${kernels.length} kernels (${percent(share)} of the time) declare no arithmetic and are not shown.`,
    );
  return parts.join(" ");
}

/** @param {readonly { x: number, y: number }[]} points @param {ReturnType<typeof roofLines>} roofs @param {number} width */
function scales(points, roofs, width) {
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  if (roofs) {
    const top = Math.max(...roofs.arithmetic.map(({ rate }) => rate));
    const ridge = top / Math.min(...roofs.memory.map(({ rate }) => rate));
    xs.push(ridge / 30, ridge * 4);
    ys.push(top, top / 100);
  }
  const x = logarithmic(Math.min(...xs) / 1.8, Math.max(...xs) * 1.8, margin.left, width - margin.right);
  const y = logarithmic(Math.min(...ys) / 1.8, Math.max(...ys) * 1.8, height - margin.bottom, margin.top);
  return { x, y };
}

/** @param {number} low @param {number} high @param {number} from @param {number} to @returns {Scale} */
function logarithmic(low, high, from, to) {
  const decades = Math.log10(high / low);
  return { low, high, at: (value) => from + ((to - from) * Math.log10(value / low)) / decades };
}

/** Ticks of a logarithmic axis: powers of ten, and between them 2 and 5 where there is room. @param {Scale} scale @param {number} pixels */
function ticks({ low, high }, pixels) {
  const decades = Math.log10(high / low);
  const every = Math.max(1, Math.ceil((decades * 46) / pixels));
  const factors = pixels / decades > 130 ? [1, 2, 5] : [1];
  const result = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % every !== 0) continue;
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) result.push(value);
    }
  }
  return result;
}

/** @param {Scale} x @param {Scale} y @param {number} width */
function axes(x, y, width) {
  const right = width - margin.right;
  const bottom = height - margin.bottom;
  const text = (/** @type {number} */ value) => String(Number(value.toPrecision(2)));
  return [
    ...ticks(x, right - margin.left).flatMap((value) => [
      drawing("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: margin.top, y2: bottom }),
      drawing("text", { class: "tick", x: x.at(value), y: bottom + 17, "text-anchor": "middle" }, text(value)),
    ]),
    ...ticks(y, bottom - margin.top).flatMap((value) => [
      drawing("line", { class: "grid", x1: margin.left, x2: right, y1: y.at(value), y2: y.at(value) }),
      drawing("text", { class: "tick", x: margin.left - 7, y: y.at(value) + 4, "text-anchor": "end" }, text(value)),
    ]),
    drawing("rect", {
      class: "frame",
      x: margin.left,
      y: margin.top,
      width: right - margin.left,
      height: bottom - margin.top,
    }),
    drawing(
      "text",
      { class: "axis", x: (margin.left + right) / 2, y: height - 8, "text-anchor": "middle" },
      "intensity, FLOP / byte",
    ),
    drawing(
      "text",
      { class: "axis", "text-anchor": "middle", transform: `translate(14 ${(margin.top + bottom) / 2}) rotate(-90)` },
      "GFLOP/s",
    ),
  ];
}

/** The roofs, and their names, which are legible above points. @param {NonNullable<ReturnType<typeof roofLines>>} roofs @param {Scale} x @param {Scale} y */
function drawRoofs({ memory, arithmetic }, x, y) {
  const lines = [];
  const names = [];
  const slowest = Math.min(...memory.map(({ rate }) => rate));
  const fastest = Math.max(...memory.map(({ rate }) => rate));
  const top = Math.max(...arithmetic.map(({ rate }) => rate));
  for (const { rate, name, main } of arithmetic) {
    const start = Math.max(x.low, rate / fastest);
    const ends = { x1: x.at(start), x2: x.at(x.high), y1: y.at(rate), y2: y.at(rate) };
    lines.push(drawing("line", { class: main ? "roof" : "roof minor", ...ends }));
    const below = arithmetic.some((other) => other.rate > rate && y.at(rate) - y.at(other.rate) < 20);
    const place = { x: x.at(x.high) - 4, y: y.at(rate) + (below ? 14 : -5), "text-anchor": "end" };
    names.push(drawing("text", { class: "roof-name", ...place }, `${name} ${significant(rate)} GFLOP/s`));
  }
  for (const { rate, name, main } of memory) {
    const from = Math.max(x.low, y.low / rate);
    const to = Math.min(x.high, (main ? (arithmetic[0]?.rate ?? top) : top) / rate);
    if (from >= to) continue;
    const [left, right, low, high] = [x.at(from), x.at(to), y.at(from * rate), y.at(to * rate)];
    lines.push(drawing("line", { class: main ? "roof" : "roof minor", x1: left, y1: low, x2: right, y2: high }));
    const angle = (Math.atan2(high - low, right - left) * 180) / Math.PI;
    // Along the line: the faster one's name above it, the slower one's below, at different heights.
    const above = rate > slowest || memory.length === 1;
    const share = above ? 0.3 : 0.42;
    const place = `translate(${left + share * (right - left)} ${low + share * (high - low)}) rotate(${angle}) translate(0 ${above ? -6 : 14})`;
    names.push(
      drawing(
        "text",
        { class: "roof-name", "text-anchor": "middle", transform: place },
        `${name} ${significant(rate)} GB/s`,
      ),
    );
  }
  return { lines, names };
}

/** @param {{ kernel: import("./state.js").Kernel, index: number, x: number, y: number }} point @param {Scale} x @param {Scale} y @param {Store} store */
function pointMark({ kernel, index, x: intensity, y: gflops }, x, y, store) {
  return drawing("circle", {
    cx: x.at(intensity),
    cy: y.at(gflops),
    r: 3 + 26 * Math.sqrt(kernel.share / Math.PI),
    "data-kernel": index,
    onclick: () => store.set({ selected: store.choice.selected === index ? -1 : index }),
    onmousemove: (/** @type {MouseEvent} */ event) => showTip(event, ...kernelLines(kernel), leastLine(kernel)),
    onmouseleave: () => showTip(),
  });
}

/** @param {import("./state.js").Kernel} kernel */
function leastLine({ roof, milliseconds, intensity }) {
  const least = roof ? `, at its roof ${time(milliseconds.median * roof.share)}` : "";
  return `${significant(intensity ?? 0)} FLOP/byte${least}`;
}
