import { describe, expect, test } from "bun:test";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { cast } from "../../../engine/ops/cast.ts";
import { gather, gatherElements, gatherNd } from "../../../engine/ops/gather-axis.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { type ScatterReduction, scatterElements, scatterNd } from "../../../engine/ops/scatter.ts";
import { oneHot, sparseCrossEntropy } from "../../../engine/ops/sparse-loss.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, formula, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const indicesOf = ({ device }: Tensor, indices: readonly number[], shape: readonly number[]) =>
  Tensor.from(device, Uint32Array.from(indices), shape);

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  const list = (x: Tensor) => indicesOf(x, options.indices, options.shape);
  switch (operation) {
    case "gather":
      return ([x]) => gather(x!, list(x!), options.axis);
    case "gatherElements":
      return ([x]) => gatherElements(x!, list(x!), options.axis);
    case "gatherNd":
      return ([x]) => gatherNd(x!, list(x!), options.batchAxes);
    case "scatterElements":
      return ([x, updates]) => scatterElements(x!, list(x!), updates!, options.axis, options.reduce);
    case "scatterNd":
      return ([x, updates]) => scatterNd(x!, list(x!), updates!, options.reduce);
    default: {
      const { labels, shape, weighted: _, ...rest } = options;
      return ([x, classWeights]) =>
        sparseCrossEntropy(x!, indicesOf(x!, labels, shape), { ...rest, ...(classWeights && { classWeights }) });
    }
  }
}

const cases = goldenCases("indexing");
const title = ({ operation, inputs, options }: GoldenCase, i: number) =>
  `${operation} ${inputs.map(({ shape }) => `[${shape}]`).join(" ")} ${JSON.stringify({ ...options, indices: undefined, labels: undefined })} ${i}`;
/** The 2 KiB bindings of the plain device hold a row, and what lies behind the axes in front. */
const fits = ({ operation, inputs, options }: GoldenCase) =>
  inputs[0]!.shape.at(-1)! < 300 &&
  (operation !== "gather" || inputs[0]!.shape.slice(Math.max(0, options.axis)).reduce((a, b) => a * b, 1) < 500);

describe("against PyTorch", () => {
  for (const [i, golden] of cases.entries()) {
    test(title(golden, i), async () => checkGolden(await sharedDevice(), golden, runner(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const [i, golden] of cases.entries()) {
    if (fits(golden)) test(title(golden, i), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const [i, golden] of cases.entries()) {
    const kind = `${golden.operation} ${golden.options.reduce} ${golden.options.reduction} ${golden.options.weighted}`;
    if (seen.has(kind) || golden.gradients.every((dx) => !dx)) continue;
    seen.add(kind);
    test(title(golden, i), async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

async function read(work: (device: Awaited<ReturnType<typeof sharedDevice>>) => Tensor) {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const y = work(device);
    return { numbers: y.isFloat ? y.read() : y.readIndices() };
  });
  return [...(await reads.numbers)];
}

test("updates that combine share the slope of equal extremes, and products know it where something is 0, as in PyTorch", async () => {
  const device = await sharedDevice();
  async function slopes(x: number[], updates: number[], places: number[], reduce: ScatterReduction) {
    const reads = device.scope(() => {
      const [a, b] = [Tensor.from(device, x, [x.length]), Tensor.from(device, updates, [updates.length])];
      a.requiresGradient = b.requiresGradient = true;
      backward(sum(scatterElements(a, indicesOf(a, places, [places.length]), b, 0, reduce)));
      return { a: a.gradient!.read(), b: b.gradient!.read() };
    });
    return [[...(await reads.a)], [...(await reads.b)]];
  }
  const third = Math.fround(1 / 3);
  const [x, updates, places] = [
    [1, 5, 0, 2],
    [5, 5, 3, 0, 0, 7],
    [1, 1, 0, 2, 2, 3],
  ];
  const equal = [third, third, 1, third, third, 1];
  expect(await slopes(x, updates, places, "max")).toEqual([[0, third, third, 0], equal]);
  expect(await slopes(x, updates, places, "min")).toEqual([
    [1, third, third, 1],
    [third, third, 0, third, third, 0],
  ]);
  expect(await slopes(x, updates, places, "multiply")).toEqual([
    [3, 25, 0, 7],
    [25, 25, 1, 0, 0, 2],
  ]);
  expect(await slopes([2, 3, 0, 0], [0, 5, 3, 4, 0, 7], [0, 0, 1, 2, 2, 3], "multiply")).toEqual([
    [0, 3, 0, 7],
    [10, 0, 3, 0, 0, 0],
  ]);
  // Outside nothing is written, and there is no slope; NaN is no extreme.
  expect(await slopes([1, 2], [3, Number.NaN], [7, 1], "max")).toEqual([
    [1, 0],
    [0, 0],
  ]);
});

test("indices count from the end below 0, and those outside give zeros, write nothing and get no gradient", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, [1, 2, 3, 4], [4]);
    x.requiresGradient = true;
    const places = cast(Tensor.from(device, [-1, 4, 0, -4, -5, 1e9], [6]), "u32");
    const y = gather(x, places);
    backward(sum(multiply(y, Tensor.from(device, [1, 10, 100, 1000, 1e4, 1e5], [6]))));
    const written = withoutGradients(() =>
      scatterElements(x, places, Tensor.from(device, [10, 20, 30, 40, 50, 60], [6])),
    );
    return { y: y.read(), dx: x.gradient!.read(), written: written.read() };
  });
  expect([...(await reads.y)]).toEqual([4, 0, 1, 1, 0, 0]);
  expect([...(await reads.dx)]).toEqual([1100, 0, 0, 1]);
  expect([...(await reads.written)]).toEqual([40, 2, 3, 10]);
});

test("of several updates of one place the last stays and gets the gradient", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, [1, 2, 3], [3]);
    const updates = Tensor.from(device, [10, 20, 30, 40], [4]);
    for (const tensor of [x, updates]) tensor.requiresGradient = true;
    const y = scatterElements(x, indicesOf(x, [2, 0, 2, 2], [4]), updates);
    backward(sum(multiply(y, Tensor.from(device, [5, 6, 7], [3]))));
    return { y: y.read(), dx: x.gradient!.read(), dupdates: updates.gradient!.read() };
  });
  expect([...(await reads.y)]).toEqual([20, 2, 40]);
  expect([...(await reads.dx)]).toEqual([0, 6, 0]);
  expect([...(await reads.dupdates)]).toEqual([0, 5, 0, 7]);
});

test("the sum of many updates has the same bits each time", async () => {
  const device = await sharedDevice();
  const list = Uint32Array.from({ length: 6000 }, (_, i) => (i % 7 === 0 ? 2 : 1));
  const added = () =>
    read(() =>
      scatterNd(
        Tensor.zeros(device, [3, 4]),
        Tensor.from(device, list, [6000, 1]),
        Tensor.from(device, formula({ shape: [6000, 4], seed: 3 }), [6000, 4]),
        "add",
      ),
    );
  const first = await added();
  for (let i = 0; i < 3; i++) expect(await added()).toEqual(first);
});

test("words are moved as they are", async () => {
  const words = Uint32Array.of(1, 0xffffffff, 0x7fc00001, 4);
  const taken = await read((device) =>
    gather(Tensor.from(device, words, [4]), Tensor.from(device, Uint32Array.of(2, 1), [2])),
  );
  expect(taken).toEqual([0x7fc00001, 0xffffffff]);
  const put = await read((device) =>
    scatterElements(
      Tensor.from(device, words, [4]),
      Tensor.from(device, Uint32Array.of(0), [1]),
      Tensor.from(device, Uint32Array.of(0x7fc00001), [1]),
    ),
  );
  expect(put).toEqual([0x7fc00001, 0xffffffff, 0x7fc00001, 4]);
});

test("numbers and words are cast to each other", async () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  const words = await read((device) =>
    cast(Tensor.from(device, [0, 1.9, -1, -1.9, 3e9, 5e9, infinity, -infinity, nan, -3e9], [10]), "u32"),
  );
  expect(words).toEqual([...[0, 1, 0xffffffff, 0xffffffff, 3e9, 0xffffffff, 0xffffffff, 0x80000000, 0, 0x80000000]]);
  const numbers = await read((device) => cast(Tensor.from(device, Uint32Array.of(0, 7, 0xffffffff), [3]), "f32"));
  expect(numbers).toEqual([0, 7, 2 ** 32]);
});

test("oneHot has a 1 at each index, and none for those beyond", async () => {
  const hot = await read((device) => oneHot(Tensor.from(device, Uint32Array.of(2, 0, 3, 0xffffffff), [2, 2]), 3));
  expect(hot).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test("labels that are no class count nothing", async () => {
  const device = await sharedDevice();
  const losses = await read(() =>
    sparseCrossEntropy(Tensor.from(device, [1, 2, 3, 4], [2, 2]), Tensor.from(device, Uint32Array.of(255, 1), [2]), {
      reduction: "none",
    }),
  );
  expect(losses[0]).toBe(0);
  expect(losses[1]).toBeCloseTo(Math.log(1 + Math.exp(-1)), 5);
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const list = (...shape: number[]) => Tensor.zeros(device, shape, "u32");
  const wrong: [() => unknown, string][] = [
    [() => gather(zeros(2, 3), list(2), 2), "[2,3] has no axis 2"],
    [() => gather(zeros(2, 3), zeros(2)), "found f32 [2] as indices"],
    [() => gatherElements(zeros(2, 3), list(2, 4), 0), "indices [2,4] must have the axes of [2,3]"],
    [() => gatherElements(zeros(2, 3), list(2), 0), "indices [2] must have the axes"],
    [() => gatherNd(zeros(2, 3), list(2, 3)), "do not name parts of [2,3]"],
    [() => gatherNd(zeros(2, 3), list(3, 1), 1), "do not name parts of [2,3]"],
    [() => scatterElements(zeros(3), list(2), zeros(3)), "[2] and [3] differ"],
    [() => scatterElements(zeros(3), list(2), zeros(2), 0, "sum" as ScatterReduction), 'got "sum"'],
    [() => scatterNd(zeros(3, 2), list(2, 1), zeros(2)), "must be of shape [2,2]"],
    [() => scatterNd(zeros(3), list(2, 1), list(2)), "updates of u32 for a tensor of f32"],
    [() => oneHot(list(2), 0), "got 0"],
    [() => sparseCrossEntropy(zeros(2, 3), list(3)), "found [2,3], [3]"],
    [() => sparseCrossEntropy(zeros(2, 3), list(2), { labelSmoothing: 1 }), "got 1"],
    [() => sparseCrossEntropy(zeros(2, 3), list(2), { classWeights: zeros(2) }), "class weights [2] for 3 classes"],
  ];
  for (const [work, text] of wrong) {
    expect(() =>
      device.scope(() => {
        work();
      }),
    ).toThrow(text);
  }
});
