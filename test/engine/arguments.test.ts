import { describe, expect, test } from "bun:test";
import * as engine from "../../engine/index.ts";
import { nearest } from "../../engine/nearest.ts";
import { sharedDevice } from "./device.ts";

const device = await sharedDevice();
const { Tensor } = engine;

// biome-ignore lint/suspicious/noExplicitAny: these calls are those that TypeScript would refuse
const js = engine as any;

/** What is no whole number of at least 1, and what an error should show of it. */
const notWhole: [unknown, string][] = [
  [1.5, "1.5"],
  [-1, "-1"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [1e300, "1e+300"],
  ["1", '"1"'],
  [null, "null"],
  [[1], "[1]"],
  [{}, "{}"],
  [1n, "1n"],
  [true, "true"],
];

const map = () => Tensor.zeros(device, [1, 8, 8, 4]);
const weight = () => Tensor.zeros(device, [3, 3, 4, 4]);
const rows = () => Tensor.zeros(device, [4, 6]);

/** Calls with one wrong argument, and its name in the error. */
const counted: [string, string, (value: unknown) => unknown][] = [
  ["conv2d", "stride", (stride) => js.conv2d(map(), weight(), { stride })],
  ["conv2d", "stride", (stride) => js.conv2d(map(), weight(), { stride: [1, stride] })],
  ["conv2d", "padding", (padding) => js.conv2d(map(), weight(), { padding })],
  ["conv2d", "groups", (groups) => js.conv2d(map(), weight(), { groups })],
  ["maxPool2d", "kernel", (kernel) => js.maxPool2d(map(), { kernel })],
  ["maxPool2d", "stride", (stride) => js.maxPool2d(map(), { kernel: 2, stride })],
  ["averagePool2d", "padding", (padding) => js.averagePool2d(map(), { kernel: 2, padding })],
  ["resize", "height", (height) => js.resize(map(), { height, width: 2 })],
  ["resizeBicubic", "width", (width) => js.resizeBicubic(map(), { height: 2, width })],
  ["adaptiveAveragePool2d", "width", (width) => js.adaptiveAveragePool2d(map(), { height: 2, width })],
  ["cropAndFlip", "height", (height) => js.cropAndFlip(map(), [{ top: 0, left: 0 }], height, 2)],
  ["cropAndFlip", "window", (top) => js.cropAndFlip(map(), [{ top, left: 0 }], 2, 2)],
  ["cutout", "window", (top) => js.cutout(map(), [{ top: top === -1 ? "-1" : top, left: 0, height: 1, width: 1 }])],
  ["centerCrop", "width", (width) => js.centerCrop(map(), 2, width)],
  ["unpackRgb", "height", (height) => js.unpackRgb(device, new Uint8Array(12), height, 2)],
  ["randomWords", "count", (count) => js.randomWords(device, count, { seed: 1 })],
  ["randomWords", "seed", (seed) => js.randomWords(device, 4, { seed })],
  ["dropout", "offset", (offset) => js.dropout(rows(), 0.5, { seed: 1, offset })],
  ["topK", "k", (k) => js.topK(rows(), k)],
  ["nearestNeighbours", "k", (k) => js.nearestNeighbours(rows(), { k })],
  // −1 is the last axis.
  ["sum", "axis", (axis) => js.sum(rows(), axis === -1 ? [[axis]] : [axis])],
  ["reshape", "shape", (extent) => js.reshape(rows(), [extent, 24])],
  ["Convolution", "kernel", (kernel) => new js.Convolution(device, undefined, { in: 4, out: 4 }, { kernel })],
  [
    "Convolution",
    "stride",
    (stride) => new js.Convolution(device, undefined, { in: 4, out: 4 }, { kernel: 1, stride }),
  ],
  ["Linear", "in", (inputs) => new js.Linear(device, undefined, { in: inputs, out: 4 })],
  ["BatchNorm", "channels", (channels) => new js.BatchNorm(device, channels)],
  ["LayerNorm", "channels", (channels) => new js.LayerNorm(device, channels)],
  ["RmsNorm", "channels", (channels) => new js.RmsNorm(device, channels)],
  ["InstanceNorm", "channels", (channels) => new js.InstanceNorm(device, channels)],
  ["GroupNorm", "groups", (groups) => new js.GroupNorm(device, groups, 4)],
  ["microBatches", "batches", (size) => js.microBatches(4, size)],
  ["cosine", "steps", (steps) => js.cosine({ steps })],
  ["polynomial", "steps", (steps) => js.polynomial({ steps })],
  ["stepDecay", "steps", (every) => js.stepDecay({ every })],
  ["solve", "maximumIterations", (maximumIterations) => js.solve(graph(), rows(), { gamma: 0.5, maximumIterations })],
  ["a tensor", "shape", (extent) => js.Tensor.zeros(device, [2, extent])],
  ["a tensor", "shape", (shape) => js.Tensor.from(device, [1], shape === 1.5 ? shape : [shape])],
];

const graph = () => ({
  size: 4,
  rowStart: Tensor.zeros(device, [5], "u32"),
  columns: Tensor.zeros(device, [1], "u32"),
  values: Tensor.zeros(device, [1]),
});

/** What is thrown, now or later; what it recorded must be nothing. */
async function refusal(work: () => unknown): Promise<Error> {
  const before = device.stream.dispatches;
  let error: unknown;
  try {
    await device.scope(() => ({ done: work() })).done;
  } catch (thrown) {
    error = thrown;
  }
  expect(device.stream.dispatches).toBe(before);
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

describe("an argument that is counted", () => {
  test.each(counted)("%s: %s is refused with its value unless it is whole and in range", async (name, what, call) => {
    for (const [value, text] of notWhole) {
      if (value === 1.5 && what === "shape") continue;
      const error = await refusal(() => call(value));
      expect(error.name).toMatch(/^(RangeError|ShapeError|TypeError)$/);
      if (!["{}", "[1]"].includes(text)) expect(error.message).toContain(text);
      expect(error.message).not.toMatch(/undefined is not|Cannot read|evaluating|BigInt/);
      if (name[0] === name[0]!.toLowerCase() && name !== "microBatches" && name !== "a tensor")
        expect(error.message).toContain(name);
    }
  });

  test("axes are whole, in range, and named with those there are", async () => {
    for (const axis of [1.5, 2, -3, Number.NaN, "1", null, {}]) {
      const error = await refusal(() => js.sum(rows(), axis));
      expect(error.message).toContain("[4,6] has no axis");
      expect(error.message).toContain("from -2 to 1");
      for (const call of [js.mean, (x: unknown, at: unknown) => js.concat([x, x], at)])
        expect((await refusal(() => call(rows(), axis))).message).toContain("no axis");
      expect((await refusal(() => js.permute(rows(), [axis, 0]))).name).toBe("ShapeError");
    }
    for (const axes of [undefined, 1, "10", { 0: 1, 1: 0 }])
      expect((await refusal(() => js.permute(rows(), axes))).message).toContain("must be a list");
    for (const call of [
      () => js.slice(rows(), [0.5, 0], [2, 2]),
      () => js.slice(rows(), ["0", 0], [2, 2]),
      () => js.slice(rows(), [0, 0], [2]),
      () => js.slice(rows(), undefined, [2, 2]),
      () => js.pad(rows(), [1.5, 0], [0, 0]),
      () => js.pad(rows(), [0, 0], [0, "1"]),
      () => js.pad(rows(), [0, 0], [0, 0], "x"),
    ])
      expect((await refusal(call)).message).toMatch(/slice|pad/);
  });

  test("numbers that are none are named", async () => {
    const calls: [string, () => unknown][] = [
      ["the factor", () => js.scale(rows(), "2")],
      ["the factor", () => js.scale(rows())],
      ["the exponent", () => js.pow(rows(), "2")],
      ["the exponent", () => js.pow(rows())],
      ["the lower end", () => js.clamp(rows(), Number.NaN, 1)],
      ["the upper end", () => js.clamp(rows(), 0)],
      ["epsilon", () => js.signedSqrt(rows(), Number.POSITIVE_INFINITY)],
      ["epsilon", () => js.l2Normalise(rows(), "1")],
      ["epsilon", () => js.layerNorm(rows(), Tensor.zeros(device, [6]), Tensor.zeros(device, [6]), Number.NaN)],
      ["the rate", () => js.dropout(rows(), "0.5", { seed: 1 })],
      ["the divisor", () => js.weightedMean(Tensor.zeros(device, [4]), Tensor.zeros(device, [4]), Number.NaN)],
      ["the deviations[1]", () => js.normalise(Tensor.zeros(device, [1, 2]), [0, 0], [1, Number.NaN])],
      ["the seed", () => js.backward(rows(), Number.NaN)],
      ["scale", () => js.attention(...Array(3).fill(Tensor.zeros(device, [1, 2, 1, 4])), { scale: Number.NaN })],
      ["momentum", () => new js.Optimiser([], { kind: "sgd", momentum: 2 })],
      ["gamma", () => js.solve(graph(), rows(), { gamma: "0.5" })],
      ["decay", () => js.timeDecay({ decay: "0.5" })],
      ["decay", () => js.timeDecay({ decay: -1 })],
      ["factor of the rates", () => new engine.Optimiser([], { kind: "sgd" }).step(Number.NaN)],
    ];
    for (const [name, call] of calls) expect((await refusal(call)).message).toContain(name);
  });
});

describe("an unknown option or word", () => {
  const unknown: [string, () => unknown][] = [
    ['unknown option "paddding" of conv2d; did you mean "padding"?', () => js.conv2d(map(), weight(), { paddding: 1 })],
    ['of maxPool2d; did you mean "kernel"?', () => js.maxPool2d(map(), { kernal: 2 })],
    [
      'of averagePool2d; did you mean "countPadding"?',
      () => js.averagePool2d(map(), { kernel: 2, countPading: false }),
    ],
    ['of resize; did you mean "antialias"?', () => js.resize(map(), { height: 2, width: 2, antiAlias: true })],
    ['of resizeBicubic; did you mean "width"?', () => js.resizeBicubic(map(), { height: 2, wdith: 2 })],
    [
      'of adaptiveAveragePool2d; did you mean "height"?',
      () => js.adaptiveAveragePool2d(map(), { heigth: 2, width: 2 }),
    ],
    ['of dropout; did you mean "seed"?', () => js.dropout(rows(), 0.5, { sead: 2 })],
    [
      'of stochasticDepth; did you mean "training"?',
      () => js.stochasticDepth(rows(), 0.5, { seed: 1, trainning: true }),
    ],
    [
      'of part of stochasticDepth; did you mean "first"?',
      () => js.stochasticDepth(rows(), 0.5, { seed: 1, part: { frist: 0, of: 4 } }),
    ],
    ['of randomWords; did you mean "stream"?', () => js.randomWords(device, 4, { seed: 1, steam: "a" })],
    ['of gelu; did you mean "approximate"?', () => js.gelu(rows(), { aproximate: "tanh" })],
    ['of bilinearPool; did you mean "signedSqrt"?', () => js.bilinearPool(map(), map(), { signedsqrt: true })],
    ["of attention; there are scale, bias, mask, causal", () => js.attention(rows(), rows(), rows(), { dropout: 0.1 })],
    ['of nearestNeighbours; did you mean "metric"?', () => js.nearestNeighbours(rows(), { metrik: "cosine" })],
    ['of affinity; did you mean "power"?', () => js.affinity({}, { powr: 2 })],
    ['of solve; did you mean "tolerance"?', () => js.solve(graph(), rows(), { gamma: 0.5, tolerence: 1 })],
    ['of propagate; did you mean "keepLabels"?', () => js.propagate(graph(), {}, { keepLabel: true })],
    [
      'a window of cropAndFlip; did you mean "flip"?',
      () => js.cropAndFlip(map(), [{ top: 0, left: 0, flipp: true }], 2, 2),
    ],
    [
      'of Convolution; did you mean "bias"?',
      () => new js.Convolution(device, undefined, { in: 4, out: 4 }, { kernel: 1, bais: true }),
    ],
    ['of WeightAverage; did you mean "decay"?', () => new js.WeightAverage([], { decoy: 0.9 })],
    ['of parameterGroups; did you mean "layers"?', () => js.parameterGroups([], { rate: 1, layer: {} })],
    ['Optimiser of kind "adam"; did you mean "beta1"?', () => new js.Optimiser([], { kind: "adam", beta: 0.9 })],
    ['Optimiser of kind "sgd"', () => new js.Optimiser([], { kind: "sgd", beta1: 0.9 })],
    ['did you mean "adamw"?', () => new js.Optimiser([], { kind: "adamW" })],
    ['kind must be "sgd" or "lars" or "adam" or "adamw", got "lion"', () => new js.Optimiser([], { kind: "lion" })],
    ['of lossScale; did you mean "growth"?', () => new js.Optimiser(group(), { kind: "sgd", lossScale: { grow: 2 } })],
    ['of cosine; did you mean "floor"?', () => js.cosine({ steps: 3, flor: 0.1 })],
    ['of linearWarmup; did you mean "start"?', () => js.linearWarmup({ steps: 3, stat: 0.1 })],
    ['of stepDecay; did you mean "milestones"?', () => js.stepDecay({ milestone: [3] })],
    ['of withWarmup; did you mean "share"?', () => js.withWarmup(10, { shore: 0.1 }, js.constant)],
    ['of openDevice; did you mean "winograd"?', () => js.openDevice({ winogrd: false })],
    ['of openDevice; did you mean "memoryLimitBytes"?', () => js.openDevice({ memoryLimitByte: 2 ** 20 })],
    ['toggles; did you mean "enable"?', () => js.openDevice({ toggles: { enabled: [] } })],
    ['of trace; did you mean "yielding"?', () => js.Device.prototype.trace.call(device, () => {}, { yeilding: true })],
    ['of profile; did you mean "command"?', () => js.profile(device, () => {}, { comand: "x" })],
    ['of measureRoofs; did you mean "sizes"?', () => js.measureRoofs(device, { size: [1024] })],
    ['of roofsOf; did you mean "remeasure"?', () => js.roofsOf(device, { remesure: true })],
    [
      'approximate must be "none" or "tanh", got "tan"; did you mean "tanh"?',
      () => js.gelu(rows(), { approximate: "tan" }),
    ],
    ['metric must be "euclidean" or "cosine", got "cosin"', () => js.nearestNeighbours(rows(), { metric: "cosin" })],
    ['filter must be "bilinear", got "bicubic"', () => js.resize(map(), { height: 2, width: 2, filter: "bicubic" })],
    ['the type must be "f32" or "f16" or "u32" or "i32" or "u8", got "f64"', () => js.cast(rows(), "f64")],
    ['its type must be "f32" or "f16" or "u32" or "i32" or "u8", got "i64"', () => js.Tensor.zeros(device, [2], "i64")],
    ["training must be true or false, got 1", () => js.dropout(rows(), 0.5, { seed: 1, training: 1 })],
    ["the options must be an object, got null", () => js.conv2d(map(), weight(), null)],
    ["the options must be an object, got 1", () => js.conv2d(map(), weight(), 1)],
    ["the options must be an object, got []", () => js.conv2d(map(), weight(), [])],
  ];
  test.each(unknown)("%s", async (message, call) => {
    expect((await refusal(call)).message).toContain(message);
  });

  test("the nearest word is at most two letters away", () => {
    expect(nearest("strid", ["stride", "padding"])).toBe("stride");
    expect(nearest("PADDING", ["stride", "padding"])).toBe("padding");
    expect(nearest("dilation", ["stride", "padding"])).toBeUndefined();
    expect(nearest("x", ["y", "k"])).toBeUndefined();
  });
});

function group(): unknown {
  const tensor = Tensor.zeros(device, [4]);
  return [{ parameters: [{ name: "a", tensor, kind: "vector", role: "parameter" }], rate: 1, decay: 0 }];
}
