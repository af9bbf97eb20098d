import { readFileSync } from "node:fs";
import { backward } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import * as engine from "../../engine/index.ts";
import { Tensor } from "../../engine/tensor.ts";
import { halfToNumber, numberToHalf } from "../../engine/weights/half.ts";
import { type FormulaInput, formula } from "./check.ts";
import { elementFunctions } from "./operations.ts";

export type Special = "NaN" | "∞" | "−∞" | "−0" | "largest" | "denormal";
export const specials: Readonly<Record<Special, number>> = {
  NaN: Number.NaN,
  "∞": Number.POSITIVE_INFINITY,
  "−∞": Number.NEGATIVE_INFINITY,
  "−0": -0,
  largest: 3.4028234663852886e38,
  denormal: 1e-40,
};

/** An operation with a special value in one tensor: an input, or the gradient of the output. See test/golden/special.py. */
export interface SpecialCase {
  readonly special: Special;
  readonly target: number | "dy";
  readonly at: readonly number[];
  /** The output, then the gradient of each input. */
  readonly results: readonly (string | null)[];
  /** Results that bound what else may come out. */
  readonly others?: readonly (readonly (string | null)[])[];
}

export interface SpecialGroup {
  readonly operation: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own options
  readonly options: any;
  readonly inputs: readonly FormulaInput[];
  readonly ordinary: readonly (string | null)[];
  readonly cases: readonly SpecialCase[];
}

export function specialGroups(): SpecialGroup[] {
  return JSON.parse(readFileSync(new URL("../golden/special.json", import.meta.url), "utf8"));
}

export const titleOf = ({ operation, options, inputs }: SpecialGroup) =>
  `${operation} ${inputs.map(({ shape }) => `[${shape}]`).join(" ")} ${JSON.stringify(options)}`;

// biome-ignore lint/suspicious/noExplicitAny: each operation has its own options
type Runner = (inputs: Tensor[], options: any) => Tensor;

const numberOf = (word: string) =>
  word === "n"
    ? Number.NaN
    : word === "+"
      ? Number.POSITIVE_INFINITY
      : word === "-"
        ? Number.NEGATIVE_INFINITY
        : Number(word);
const exported = { ...engine } as unknown as Readonly<Record<string, (...values: unknown[]) => Tensor>>;
const withOptions =
  (name: keyof typeof engine): Runner =>
  ([x], options) =>
    exported[name]!(x, options);
const ofTensors =
  (name: keyof typeof engine): Runner =>
  (inputs) =>
    exported[name]!(...inputs);
const state = ([, , scale, shift, runningMean, runningVariance]: Tensor[]) =>
  ({ scale, shift, runningMean, runningVariance }) as engine.BatchNormState;

const indicesOf = ({ device }: Tensor, { indices, shape }: { indices: number[]; shape: number[] }) =>
  Tensor.from(device, Uint32Array.from(indices), shape);

/** How a case is run with the engine, by the name under which the operation is exported. */
export const runners: Readonly<Record<string, Runner>> = {
  ...Object.fromEntries(elementFunctions.map(([name, run]) => [name, ([x]: Tensor[]) => run(x!)])),
  ...Object.fromEntries(
    (
      [
        ...["add", "subtract", "multiply", "divide", "atLeast", "transpose", "argmax", "argmin"],
        ...[
          "fmod",
          "maximum",
          "minimum",
          "remainder",
          "where",
          "equal",
          "notEqual",
          "less",
          "lessOrEqual",
          "greater",
          "greaterOrEqual",
        ],
        ...["logicalAnd", "logicalOr", "logicalXor", "logicalNot", "isNan", "isInfinite"],
        ...["l2Normalise", "layerNorm", "cosineSimilarity", "softCrossEntropy", "klDivergence", "earthMoversDistance"],
        ...["weightedMean", "matmul", "linear", "batchedMatmul", "linearPerSample", "pointwisePerSample", "attention"],
        ...["selfAttention", "globalAveragePool", "flipHorizontal", "bilinearPool"],
      ] as (keyof typeof engine)[]
    ).map((name) => [name, ofTensors(name)]),
  ),
  gelu: withOptions("gelu"),
  maxPool2d: withOptions("maxPool2d"),
  averagePool2d: withOptions("averagePool2d"),
  adaptiveAveragePool2d: withOptions("adaptiveAveragePool2d"),
  resize: withOptions("resize"),
  resizeBicubic: withOptions("resizeBicubic"),
  scale: ([x], { factor }) => engine.scale(x!, factor),
  pow: ([x], { exponent }) => engine.pow(x!, exponent),
  interpolate: withOptions("interpolate"),
  flip: ([x], { axes }) => engine.flip(x!, axes),
  tile: ([x], { times }) => engine.tile(x!, times),
  repeat: ([x], { times, axis }) => engine.repeat(x!, times, axis),
  broadcastTo: ([x], { shape }) => engine.broadcastTo(x!, shape),
  depthToSpace: ([x], { block }) => engine.depthToSpace(x!, block),
  spaceToDepth: ([x], { block }) => engine.spaceToDepth(x!, block),
  gather: ([x], { axis, ...list }) => engine.gather(x!, indicesOf(x!, list), axis),
  gatherElements: ([x], { axis, ...list }) => engine.gatherElements(x!, indicesOf(x!, list), axis),
  gatherNd: ([x], list) => engine.gatherNd(x!, indicesOf(x!, list)),
  scatterElements: ([x, updates], { axis, reduce, ...list }) =>
    engine.scatterElements(x!, indicesOf(x!, list), updates!, axis, reduce),
  scatterNd: ([x, updates], { reduce, ...list }) => engine.scatterNd(x!, indicesOf(x!, list), updates!, reduce),
  sparseCrossEntropy: ([x], list) => engine.sparseCrossEntropy(x!, indicesOf(x!, list)),
  conv1d: ([x, weight, bias], options) => engine.conv1d(x!, weight!, { ...options, bias }),
  convTranspose2d: ([x, weight, bias], options) => engine.convTranspose2d(x!, weight!, { ...options, bias }),
  einsum: (inputs, { equation }) => engine.einsum(equation, ...inputs),
  powerOf: ([x, y]) => engine.pow(x!, y!),
  clamp: ([x], { low, high }) => engine.clamp(x!, numberOf(low), numberOf(high)),
  cast: ([x]) => engine.cast(x!, "f32"),
  ...Object.fromEntries(
    (["sum", "mean", "amax", "amin", "logSumExp", "product", "variance", "standardDeviation"] as const).map(
      (name): [string, Runner] => [name, ([x], { axis, options }) => exported[name]!(x, axis ?? undefined, options)],
    ),
  ),
  reshape: ([x], { shape }) => engine.reshape(x!, shape),
  permute: ([x], { axes }) => engine.permute(x!, axes),
  slice: ([x], { starts, ends }) => engine.slice(x!, starts, ends),
  pad: ([x], { before, after, value }) => engine.pad(x!, before, after, value),
  concat: (inputs, { axis }) => engine.concat(inputs, axis),
  stack: (inputs) => engine.stack(inputs),
  gatherRows: ([table], { indices }) =>
    engine.gatherRows(table!, Tensor.from(table!.device, Uint32Array.from(indices), [indices.length])),
  groupNorm: ([x, scale, shift], { groups }) => engine.groupNorm(x!, groups, scale!, shift!),
  instanceNorm: ([x, scale, shift]) => engine.instanceNorm(x!, scale!, shift!),
  rmsNorm: ([x, scale]) => engine.rmsNorm(x!, scale!),
  topK: ([x], { k, order }) => engine.topK(x!, k, order).values,
  softmax: ([x], { axis }) => engine.softmax(x!, axis),
  logSoftmax: ([x], { axis }) => engine.logSoftmax(x!, axis),
  cumulativeSum: ([x], { axis }) => engine.cumulativeSum(x!, axis),
  expectationL1: ([x, scores], { levels }) =>
    engine.expectationL1(x!, scores!, Tensor.from(x!.device, Float32Array.from(levels), [levels.length])),
  conv2d: ([x, weight, bias], options) => engine.conv2d(x!, weight!, { ...options, bias }),
  batchNorm: ([x, scale, shift, mean, variance, residual], { training, relu }) =>
    engine.batchNorm(x!, state([x!, x!, scale!, shift!, mean!, variance!]), {
      training,
      relu,
      ...(residual && { residual }),
    }),
  convNorm: (inputs, { activation }) =>
    engine.convNorm(inputs[0]!, inputs[1]!, state(inputs), { training: false, padding: 1, activation }),
  normalise: ([x], { mean, deviation }) => engine.normalise(x!, mean, deviation),
  cropAndFlip: ([x], { windows, height, width }) => engine.cropAndFlip(x!, windows, height, width),
  centerCrop: ([x], { height, width }) => engine.centerCrop(x!, height, width),
  cutout: ([x], { windows, value }) => engine.cutout(x!, windows, value),
};

/** Targets of losses are distributions: the test's are the formula's numbers with those below 0 taken as 0, as in special.py. */
const losses = ["softCrossEntropy", "klDivergence", "earthMoversDistance"];

function numbersOf(group: SpecialGroup, i: number, place: SpecialCase | undefined, half: boolean) {
  const numbers = formula(group.inputs[i]!);
  if (i === place?.target) for (const at of place.at) numbers[at] = specials[place.special];
  if (losses.includes(group.operation) && i === 1) {
    for (const [k, x] of numbers.entries()) numbers[k] = Math.max(x, 0);
  }
  return half ? numbers.map((x) => halfToNumber(numberToHalf(x))) : numbers;
}

/** The output and the gradients of a case, or without one of the ordinary numbers. */
function start(device: Device, group: SpecialGroup, place: SpecialCase | undefined, half: boolean) {
  const tensors = group.inputs.map((input, i) => {
    const tensor = Tensor.from(device, numbersOf(group, i, place, half), input.shape);
    tensor.requiresGradient = input.gradient ?? true;
    return tensor;
  });
  const isHalf = (i: number) => half && !(group.operation === "batchNorm" && i > 0 && i < 5);
  const raw = runners[group.operation]!(
    tensors.map((tensor, i) => (isHalf(i) ? engine.cast(tensor, "f16") : tensor)),
    group.options,
  );
  if (!raw.isFloat) return { output: raw.readIndices(), gradients: [] };
  const output = engine.cast(raw, "f32");
  const dy = formula({ shape: [...output.shape], seed: 99 });
  if (place?.target === "dy") for (const at of place.at) dy[at] = specials[place.special];
  if (tensors.some((tensor) => tensor.requiresGradient)) {
    backward(engine.sum(engine.multiply(output, Tensor.from(device, dy, output.shape))));
  }
  return { output: output.read(), gradients: tensors.map((tensor) => tensor.gradient?.read()) };
}

export type Outcome = readonly (ArrayLike<number> | undefined)[];

/** What the device makes of each case: the output and the gradients. */
export async function outcomes(device: Device, group: SpecialGroup, cases: readonly SpecialCase[], half = false) {
  const found: Outcome[] = [];
  // Many at once: an adapter that waits for each takes three times as long.
  for (let from = 0; from < cases.length; from += 16) {
    const reads = cases.slice(from, from + 16).map((place) => device.scope(() => start(device, group, place, half)));
    const all = reads.map(({ output, gradients }) => Promise.all([output, ...gradients]));
    found.push(...(await Promise.all(all)));
  }
  return found;
}

/** The golden numbers of one tensor, those that are as in the ordinary case put in. */
export function expectedNumbers(group: SpecialGroup, results: SpecialCase["results"], i: number): number[] | undefined {
  const ordinary = group.ordinary[i]?.split(" ");
  return results[i]?.split(" ").map((word, at) => numberOf(word === "." ? ordinary![at]! : word));
}

function isNear(found: number, expected: number, half: boolean): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(found);
  if (found === expected) return true;
  if (!Number.isFinite(expected)) return false;
  if (Math.abs(found - expected) <= (half ? 1e-2 : 1e-4) * Math.max(1, Math.abs(expected))) return true;
  // Beyond 65,504 f16 is infinite.
  return half && Math.abs(expected) > 65504 * 0.99 && found === Math.sign(expected) * Number.POSITIVE_INFINITY;
}

/**
 * Operations in whose formula one element is met on several ways, or beside others in a sum of products: where PyTorch has
 * ∞ or NaN, the order of the steps decides which of them comes out (∞ − ∞, 0 · ∞), and another order is no mistake.
 */
const manyWays = new Set([
  ...[
    "layerNorm",
    "groupNorm",
    "instanceNorm",
    "rmsNorm",
    "batchNorm",
    "softCrossEntropy",
    "klDivergence",
    "earthMoversDistance",
    "expectationL1",
  ],
  ...["attention", "selfAttention", "matmul", "linear", "batchedMatmul", "linearPerSample", "pointwisePerSample"],
  ...[
    "bilinearPool",
    "conv2d",
    "convNorm",
    "resize",
    "resizeBicubic",
    "pow",
    "variance",
    "standardDeviation",
    "powerOf",
    "interpolate",
    "einsum",
  ],
  ...["conv1d", "convTranspose2d", "sparseCrossEntropy"],
]);

/** Whether `found` may stand where PyTorch has `expected`. */
export function agrees(
  group: SpecialGroup,
  place: SpecialCase,
  found: number,
  results: readonly number[],
  half = false,
) {
  if (results.some((result) => isNear(found, result, half))) return true;
  const [expected, ...others] = results as [number, ...number[]];
  // A denormal number counts as some number from 0 to the smallest normal one.
  if (place.special === "denormal" && others.length > 0) {
    return found >= Math.min(...others) && found <= Math.max(...others);
  }
  if (Number.isFinite(found) || place.special === "NaN") return false;
  // Near the largest number a step may overflow; a wrong number never comes out of that.
  if (place.special === "largest" && (others.length > 0 || manyWays.has(group.operation))) return true;
  return !Number.isFinite(expected) && manyWays.has(group.operation);
}

/** A sentence for each tensor in which a number is not what was expected. */
export function complaints(group: SpecialGroup, place: SpecialCase, outcome: Outcome, half = false): string[] {
  const found: string[] = [];
  let overflowed = false;
  for (let i = 0; i < place.results.length; i++) {
    const expected = expectedNumbers(group, place.results, i);
    // What overflowed on its way forward has another gradient than what did not.
    if (!expected || overflowed) continue;
    const others = (place.others ?? []).map((results) => expectedNumbers(group, results, i)!);
    const numbers = outcome[i];
    const what = i === 0 ? "output" : `gradient ${i - 1}`;
    if (!numbers || numbers.length !== expected.length) {
      found.push(`${what} has ${numbers?.length} numbers, not ${expected.length}`);
      continue;
    }
    overflowed =
      place.special === "largest" &&
      expected.some((value, at) => Number.isFinite(value) && !Number.isFinite(numbers[at]));
    const wrong = expected.flatMap((value, at) =>
      agrees(group, place, numbers[at]!, [value, ...others.map((other) => other[at]!)], half)
        ? []
        : [`[${at}] ${numbers[at]} instead of ${value}`],
    );
    const where = place.target === "dy" ? "dy" : `input ${place.target}`;
    if (wrong.length > 0)
      found.push(`${place.special} in ${where} at ${place.at}: ${what} ${wrong.slice(0, 4).join(", ")}`);
  }
  return found;
}
