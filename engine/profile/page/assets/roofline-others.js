// Several profiles on one roofline: kernels of the others as marks of their own, and roofs of other adapters.

import { byId, drawing, element, showTip } from "./dom.js";
import { percent, significant, time } from "./format.js";

/** @typedef {import("./roofline.js").Scale} Scale */
/** @typedef {import("./state.js").Kernel} Kernel */
/** @typedef {{ title: string, roofs: import("./state.js").Profile["roofs"], kernels: readonly Pick<Kernel, "kernel" | "op" | "layer" | "scope" | "variant" | "intensity" | "gflops" | "share" | "milliseconds">[] }} Other another profile on the same plot */

/** Marks of other profiles, in their order. */
const shapes = ["square", "triangle", "diamond", "cross"];

/** Kernels of other profiles that have a place. @param {readonly Other[]} others */
export function besidePoints(others) {
  return others.flatMap(({ title, kernels: list }, at) =>
    list.flatMap((kernel) =>
      (kernel.intensity ?? 0) > 0 && (kernel.gflops ?? 0) > 0
        ? [{ kernel, title, at, x: kernel.intensity ?? 0, y: kernel.gflops ?? 0 }]
        : [],
    ),
  );
}

/** Which mark is of which profile. @param {readonly Other[]} others */
export function otherLegend(others) {
  if (others.length === 0) return;
  const names = others.map(({ title }, at) =>
    element(
      "span",
      { class: `other-${at % shapes.length}` },
      drawing("svg", { width: 14, height: 14 }, shape(at, 7, 7, 5)),
      title,
    ),
  );
  byId("roofline-note").before(
    element("div", { class: "legend others" }, element("span", {}, "circles: this profile"), ...names),
  );
}

/** A mark of another profile. @param {number} at @param {number} cx @param {number} cy @param {number} r */
function shape(at, cx, cy, r) {
  const corners = {
    square: [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ],
    triangle: [
      [0, -1.2],
      [1.1, 0.9],
      [-1.1, 0.9],
    ],
    diamond: [
      [0, -1.3],
      [1.3, 0],
      [0, 1.3],
      [-1.3, 0],
    ],
    cross: [
      [-0.4, -1.2],
      [0.4, -1.2],
      [0.4, -0.4],
      [1.2, -0.4],
      [1.2, 0.4],
      [0.4, 0.4],
      [0.4, 1.2],
      [-0.4, 1.2],
      [-0.4, 0.4],
      [-1.2, 0.4],
      [-1.2, -0.4],
      [-0.4, -0.4],
    ],
  }[/** @type {"square" | "triangle" | "diamond" | "cross"} */ (shapes[at % shapes.length])];
  const points = corners.map(([x = 0, y = 0]) => `${(cx + r * x).toFixed(1)},${(cy + r * y).toFixed(1)}`);
  return drawing("polygon", { points: points.join(" "), class: `other-mark other-${at % shapes.length}` });
}

/** @param {{ kernel: Other["kernels"][number], title: string, at: number, x: number, y: number }} point @param {Scale} x @param {Scale} y */
export function besideMark({ kernel, title, at, x: intensity, y: gflops }, x, y) {
  const mark = shape(at, x.at(intensity), y.at(gflops), 3 + 22 * Math.sqrt(kernel.share / Math.PI));
  mark.addEventListener("mousemove", (event) =>
    showTip(
      /** @type {MouseEvent} */ (event),
      element("strong", {}, [kernel.op, kernel.layer || kernel.scope].filter(Boolean).join(" · ")),
      `${kernel.kernel} ${kernel.variant} · ${title}`,
      `median ${time(kernel.milliseconds.median)}, ${significant(gflops)} GFLOP/s, ${percent(kernel.share)} of its time`,
    ),
  );
  mark.addEventListener("mouseleave", () => showTip());
  return mark;
}

/** The roofs of another adapter, without names. @param {Other} other @param {number} at @param {Scale} x @param {Scale} y */
export function drawOtherRoofs({ roofs }, at, x, y) {
  const found = roofLines(roofs);
  const [memory] = found?.memory ?? [];
  const [arithmetic] = found?.arithmetic ?? [];
  if (!memory || !arithmetic) return [];
  const ridge = Math.min(Math.max(arithmetic.rate / memory.rate, x.low), x.high);
  const from = Math.max(x.low, y.low / memory.rate);
  const points = [
    [from, from * memory.rate],
    [ridge, ridge * memory.rate],
    [x.high, arithmetic.rate],
  ].map(([fx = 1, fy = 1]) => `${x.at(fx).toFixed(1)},${y.at(Math.min(fy, arithmetic.rate)).toFixed(1)}`);
  return [drawing("polyline", { class: `other-roof other-${at % shapes.length}`, points: points.join(" ") })];
}

/** The arithmetic roofs in GFLOP/s, and memory in GB/s: beyond all caches, and at its fastest. @param {import("./state.js").Profile["roofs"]} roofs */
export function roofLines(roofs) {
  if (!roofs) return null;
  const rates = [...roofs.copyGBps, ...roofs.readGBps];
  const largest = Math.max(...roofs.copyGBps.map(({ bytes }) => bytes), ...roofs.readGBps.map(({ bytes }) => bytes));
  // A copy counts both of its buffers: its largest measurement is the beyond-caches one beside the read of half as many bytes.
  const beyond = Math.max(...rates.filter(({ bytes }) => bytes >= largest / 2).map(({ rate }) => rate.most));
  const fastest = Math.max(...rates.map(({ rate }) => rate.most));
  const half = roofs.f16FmaGflops?.most;
  const memory = [{ rate: beyond, name: "memory", main: true }];
  if (fastest > 1.1 * beyond) memory.push({ rate: fastest, name: "caches", main: false });
  const arithmetic = [{ rate: roofs.fmaGflops.most, name: "f32 multiply-adds", main: true }];
  if (half && Math.abs(half / roofs.fmaGflops.most - 1) > 0.1)
    arithmetic.push({ rate: half, name: "f16 multiply-adds", main: false });
  return { memory, arithmetic };
}
