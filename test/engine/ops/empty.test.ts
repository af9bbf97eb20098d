import { describe, expect, test } from "bun:test";
import * as engine from "../../../engine/index.ts";
import { type Tensor as Any, Tensor } from "../../../engine/tensor.ts";
import { checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { DispatchCounter, elementFunctions, operations } from "../operations.ts";

type Operation = (...given: unknown[]) => Any;
const named = (name: string) => (engine as unknown as Record<string, Operation>)[name]!;

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  const indices = ({ device }: Any) => Tensor.zeros(device, options.shape, "u32");
  const run = named(operation);
  switch (operation) {
    case "clamp":
      return ([x]) => run(x, 0, 1);
    case "pow":
      return ([x]) => run(x, 3);
    case "where":
      return ([a, b]) => run(a, a, b);
    case "broadcastTo":
    case "reshape":
      return ([x]) => run(x, options.shape);
    case "permute":
      return ([x]) => run(x, options.axes);
    case "slice":
      return ([x]) => run(x, options.starts, options.ends, options.steps);
    case "pad":
      return ([x]) => run(x, options.before, options.after, options.value);
    case "concat":
      return (list) => run(list, options.axis);
    case "tile":
      return ([x]) => run(x, options.times);
    case "repeat":
      return ([x]) => run(x, options.times, options.axis);
    case "gather":
    case "gatherElements":
      return ([x]) => run(x, indices(x!), options.axis);
    case "gatherRows":
    case "gatherNd":
      return ([x]) => run(x, indices(x!));
    case "scatterElements":
      return ([x, updates]) => run(x, indices(x!), updates, options.axis, options.reduce);
    case "scatterNd":
      return ([x, updates]) => run(x, indices(x!), updates, options.reduce);
    case "oneHot":
      return ([x]) => engine.add(x!, run(indices(x!), 3));
    case "einsum":
      return (list) => run(options.equation, ...list);
    case "sum":
    case "mean":
    case "amax":
    case "product":
      return ([x]) => run(x, options.axes ?? undefined, { keepDims: options.keepDims });
    case "softmax":
    case "logSoftmax":
    case "cumulativeSum":
      return ([x]) => run(x, options.axis);
    case "topK":
      return ([x]) => engine.topK(x!, options.k, { axis: options.axis ?? -1 }).values;
    case "softCrossEntropy":
      return ([x]) => run(x, Tensor.zeros(x!.device, [0, 5]));
    case "sparseCrossEntropy":
      return ([x]) => run(x, Tensor.zeros(x!.device, [0], "u32"), options);
    default:
      return (list) => run(...list);
  }
}

const cases = goldenCases("empty");
const title = ({ operation, inputs, options }: GoldenCase, i: number) =>
  `${operation} ${inputs.map(({ shape }) => `[${shape}]`).join(" ")} ${JSON.stringify(options)} ${i}`;

describe.each([
  ["against PyTorch", sharedDevice],
  ["plain kernels, tensors in windows of 2 KiB", plainDevice],
] as const)("%s", (_, open) => {
  for (const [i, golden] of cases.entries()) {
    test(title(golden, i), async () => checkGolden(await open(), golden, runner(golden)));
  }
});

const device = await sharedDevice();
const none = (...shape: number[]) => Tensor.zeros(device, shape);

test("tensors without elements are made, written, read and seen under other shapes without anything recorded", async () => {
  const counter = new DispatchCounter(device);
  counter.start();
  for (const type of ["f32", "u32"] as const) {
    using x = Tensor.zeros(device, [0, 3], type);
    expect([x.size, x.sizeBytes, x.shape]).toEqual([0, 0, [0, 3]]);
    x.write([]);
    expect((await (type === "u32" ? x.readIndices() : x.read())).length).toBe(0);
  }
  using nested = Tensor.from(device, [[], []], [2, 0]);
  using listed = Tensor.from(device, [], [0]);
  using indices = Tensor.from(device, new Uint32Array(), [3, 0]);
  expect([nested.shape, listed.shape, indices.dtype]).toEqual([[2, 0], [0], "u32"]);
  for (const [, work] of elementFunctions) device.scope(() => expect(work(nested).shape).toEqual([2, 0]));
  device.scope(() => expect(engine.cast(indices, "f32").shape).toEqual([3, 0]));
  expect(counter.count()).toBe(0);
  expect(() => Tensor.from(device, [1], [0])).toThrow("[0] has 0 elements, 1 were given");
  expect(() => Tensor.from(device, [], [-1])).toThrow("extents are whole and at least 0");
});

test("the mean of none is NaN and ln Σ e^x −∞, as in PyTorch, and their gradients have no elements", async () => {
  for (const [work, value] of [
    [engine.mean, Number.NaN],
    [engine.logSumExp, Number.NEGATIVE_INFINITY],
  ] as const) {
    using x = none(2, 0);
    x.requiresGradient = true;
    using y = work(x, 1);
    expect([...(await y.read())]).toEqual([value, value]);
    using total = engine.sum(y);
    engine.backward(total);
    expect(x.gradient!.shape).toEqual([2, 0]);
  }
  using loss = engine.sparseCrossEntropy(none(0, 3), Tensor.zeros(device, [0], "u32"));
  expect([...(await loss.read())]).toEqual([Number.NaN]);
});

test("a plan has nothing of them, and a rehearsal counts them", async () => {
  const work = () => engine.matmul(none(0, 3), none(3, 5));
  expect(device.rehearse(() => void device.scope(() => void work())).peakBytes).toBeGreaterThan(0);
});

test.each([
  ["amax: [3,0] has no elements along [1], and no largest of them", () => engine.amax(none(3, 0), 1)],
  ["amin: [0] has no elements along [0], and no smallest of them", () => engine.amin(none(0))],
  ["argmax: [3,0] has no elements along axis -1, and no place among them", () => engine.argmax(none(3, 0))],
  ["topK: k = 1 is not a whole number from 1 to 0", () => engine.topK(none(3, 0), 1)],
  ["variance: of 0 elements of [0] less 1 there is no variance", () => engine.variance(none(0))],
  ["weightedMean: rows [0] has no elements, and weightedMean needs some", () => engine.weightedMean(none(0), none(0))],
  ["softCrossEntropy takes logits [B, m]", () => engine.softCrossEntropy(none(2, 0), none(2, 0))],
  [
    "conv2d: x [0,4,4,4] has no elements, and conv2d needs some",
    () => engine.conv2d(none(0, 4, 4, 4), none(3, 3, 4, 8)),
  ],
  ["pad: axis 0 of [0] has no elements for margins of edge", () => engine.pad(none(0), [1], [1], "edge")],
  ["slice: 3 to 2 is no part of axis 0 of [5]", () => engine.slice(none(5), [3], [2])],
])("%s", (message, work) => {
  expect(() => device.scope(() => void work())).toThrow(message);
});

/** What an operation makes with one extent of one operand 0 is refused in words, or nothing of it is left unwritten. */
describe("one extent of every operand", () => {
  for (const [name, { operands, call, waits }] of Object.entries(operations)) {
    test(name, async () => {
      for (const [at, operand] of operands.entries()) {
        for (const axis of operand.shape.keys()) {
          const shapes = operands.map(({ shape }, i) => (i === at ? shape.with(axis, 0) : shape));
          let error: unknown;
          try {
            const made = shapes.map((shape, i) => Tensor.zeros(device, shape, operands[i]!.type));
            await (waits ? call(made, device) : device.scope(() => ({ done: call(made, device) })).done);
            for (const tensor of made) tensor.dispose();
          } catch (thrown) {
            error = thrown;
          }
          if (error) expect(String(error)).toMatch(/^(ShapeError|TypeError|RangeError): /);
        }
      }
      await device.stream.finish();
      device.check();
    });
  }
});
