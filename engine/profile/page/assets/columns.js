import { amount, bytes, dash, grouped, percent, significant } from "./format.js";

/** @typedef {import("./state.js").Kernel} Kernel */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {string} explanation
 * @property {(kernel: Kernel) => string | number | null} value  what it sorts by
 * @property {(kernel: Kernel) => string} [text]  what it shows; the value itself by default
 * @property {(kernel: Kernel) => number} [bar]  0..1, behind the number
 * @property {boolean} [shown]  at first
 * @property {boolean} [sums]  has a total
 */

/** The time a kernel would not need at its roof, ms. @param {Kernel} kernel */
export function headroom({ roof, milliseconds, calls, coldCalls }) {
  return roof ? Math.max(0, (calls - coldCalls) * milliseconds.median * (1 - roof.share)) : null;
}

/** @param {keyof Kernel["milliseconds"]} name @param {string} title @param {string} explanation @param {boolean} shown @returns {Column} */
function microseconds(name, title, explanation, shown) {
  return {
    key: name,
    title: `${title} µs`,
    explanation,
    shown,
    value: ({ milliseconds }) => milliseconds[name],
    text: ({ milliseconds }) => grouped(1e3 * milliseconds[name], 2),
  };
}

/** @param {readonly number[]} values */
const product = (values) => values.reduce((a, b) => a * b, 1);

/** @param {Kernel} kernel */
export function shapesText({ shapes }) {
  return Object.entries(shapes)
    .map(([name, shape]) => `${name} ${shape}`)
    .join(", ");
}

/** @type {readonly Column[]} */
export const columns = [
  { key: "kernel", title: "kernel", explanation: "file below shaders/", value: ({ kernel }) => kernel, shown: true },
  { key: "op", title: "op", explanation: "the operation that recorded it", value: ({ op }) => op, shown: true },
  { key: "layer", title: "layer", explanation: "path of the layer", value: ({ layer }) => layer, shown: true },
  {
    key: "scope",
    title: "scope",
    explanation: "names given by mark, and debug groups",
    value: ({ scope = "" }) => scope,
    shown: false,
  },
  { key: "phase", title: "phase", explanation: "what it was recorded for", value: ({ phase }) => phase, shown: true },
  {
    key: "calls",
    title: "calls",
    explanation: "dispatches",
    value: ({ calls }) => calls,
    text: ({ calls }) => grouped(calls),
    shown: true,
    sums: true,
  },
  {
    key: "total",
    title: "total ms",
    explanation: "all calls, cold ones too",
    value: ({ milliseconds }) => milliseconds.total,
    text: ({ milliseconds }) => grouped(milliseconds.total, 3),
    shown: true,
    sums: true,
  },
  {
    key: "share",
    title: "share",
    explanation: "of the time of all kernels",
    value: ({ share }) => share,
    text: ({ share }) => percent(share),
    shown: true,
    sums: true,
  },
  microseconds("median", "median", "of the warm calls", true),
  {
    key: "roofShare",
    title: "of roof",
    explanation: "least possible time by that roof, divided by the median time",
    value: ({ roof }) => roof?.share ?? null,
    text: ({ roof }) => (roof ? percent(roof.share) : dash),
    bar: ({ roof }) => Math.min(1, roof?.share ?? 0),
    shown: true,
  },
  {
    key: "binds",
    title: "roof",
    explanation: "the roof that binds",
    value: ({ roof }) => roof?.binds ?? "",
    shown: true,
  },
  {
    key: "headroom",
    title: "headroom ms",
    explanation: "what the warm calls would save at their roof",
    value: headroom,
    text: (kernel) => {
      const ms = headroom(kernel);
      return ms === null ? dash : grouped(ms, 3);
    },
    shown: true,
    sums: true,
  },
  {
    key: "gflops",
    title: "GFLOP/s",
    explanation: "declared operations by the median time",
    value: ({ gflops }) => gflops,
    text: ({ gflops }) => (gflops === null ? dash : significant(gflops)),
    shown: true,
  },
  {
    key: "GBps",
    title: "GB/s",
    explanation: "arguments read and results written once, by the median time",
    value: ({ GBps }) => GBps,
    text: ({ GBps }) => significant(GBps),
    shown: true,
  },
  {
    key: "variant",
    title: "variant",
    explanation: "form of the kernel that was chosen",
    value: ({ variant }) => variant,
    shown: true,
  },
  { key: "shapes", title: "shapes", explanation: "of the arguments", value: shapesText },
  {
    key: "coldCalls",
    title: "cold",
    explanation: "calls just after the kernel was compiled; in the total only",
    value: ({ coldCalls }) => coldCalls,
    sums: true,
  },
  microseconds("least", "least", "shortest warm call", false),
  microseconds("most", "most", "longest warm call", false),
  microseconds("spread", "±", "half the distance between the 16th and the 84th percentile", false),
  {
    key: "intensity",
    title: "FLOP/byte",
    explanation: "operations for each byte",
    value: ({ intensity }) => intensity,
    text: ({ intensity }) => (intensity === null ? dash : significant(intensity)),
  },
  {
    key: "flops",
    title: "FLOP",
    explanation: "of one call, a multiply-add counted as two",
    value: ({ flops }) => flops,
    text: ({ flops }) => (flops === null ? dash : amount(flops)),
  },
  {
    key: "bytes",
    title: "bytes",
    explanation: "of one call",
    value: (kernel) => kernel.bytes,
    text: (kernel) => bytes(kernel.bytes),
  },
  {
    key: "workgroup",
    title: "workgroup",
    explanation: "invocations of a workgroup",
    value: ({ workgroup }) => product(workgroup),
    text: ({ workgroup }) => workgroup.join("×"),
  },
  {
    key: "grid",
    title: "grid",
    explanation: "workgroups of a dispatch",
    value: ({ grid }) => product(grid),
    text: ({ grid }) => grid.join("×"),
  },
  {
    key: "workgroupBytes",
    title: "shared bytes",
    explanation: "workgroup memory",
    value: ({ workgroupBytes }) => workgroupBytes,
    text: ({ workgroupBytes }) => grouped(workgroupBytes),
  },
  { key: "halves", title: "f16", explanation: "variables stored as f16", value: ({ halves }) => halves.join(", ") },
  { key: "id", title: "id", explanation: "identity across runs", value: ({ id }) => id },
];

/**
 * Columns of a profile whose kernels were inspected: of every GPU registers, spills and waves.
 * @param {readonly Kernel[]} kernels
 * @returns {Column[]}
 */
export function codeColumns(kernels) {
  const gpus = [...new Set(kernels.flatMap(({ machineCode = [] }) => machineCode.map(({ gpu }) => gpu)))];
  return gpus.flatMap((gpu) => {
    /** @param {Kernel} kernel */
    const code = ({ machineCode = [] }) => machineCode.find((entry) => entry.gpu === gpu);
    /** @param {string} name @param {string} explanation @param {(kernel: Kernel) => number | null} value @returns {Column} */
    const column = (name, explanation, value) => ({
      key: `${gpu} ${name}`,
      title: `${gpu} ${name}`,
      explanation,
      value,
      text: (kernel) => (value(kernel) === null ? dash : grouped(/** @type {number} */ (value(kernel)))),
      shown: true,
    });
    return [
      column("registers", "vector registers of a lane", (kernel) => code(kernel)?.vectorRegisters ?? null),
      column("spills", "vector and scalar registers that are kept elsewhere", (kernel) => spills(code(kernel))),
      column("waves", "of a SIMD at the same time", (kernel) => code(kernel)?.waves ?? null),
    ];
  });
}

/** @param {NonNullable<Kernel["machineCode"]>[number] | undefined} code */
function spills(code) {
  if (!code || (code.spilledVectorRegisters === null && code.spilledScalarRegisters === null)) return null;
  return (code.spilledVectorRegisters ?? 0) + (code.spilledScalarRegisters ?? 0);
}

/** Whether a column holds words. @param {Column} column */
export function isText({ key }) {
  return ["kernel", "op", "layer", "scope", "phase", "variant", "shapes", "binds", "halves", "id"].includes(key);
}
