import { describe, expect, test } from "bun:test";
import { groupNorm, instanceNorm, layerNorm, rmsNorm } from "../../../engine/ops/layer-norm.ts";
import { sizeOf, Tensor } from "../../../engine/tensor.ts";
import {
  checkDifferences,
  checkGolden,
  formula,
  type GoldenCase,
  goldenCases,
  type Run,
  relativeError,
  runWithGradients,
} from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const cases = goldenCases("group_norm");

function run({ operation, options }: GoldenCase): Run {
  if (operation === "groupNorm") return ([x, scale, shift]) => groupNorm(x!, options.groups, scale!, shift!);
  if (operation === "instanceNorm") return ([x, scale, shift]) => instanceNorm(x!, scale!, shift!);
  return ([x, scale]) => rmsNorm(x!, scale!);
}

const title = ({ operation, options, inputs }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden), { f32: 1e-5 }));
  }
});

describe("cut into windows", () => {
  // A picture, or a row, must fit one window of 2 KiB.
  const fits = ({ operation, inputs }: GoldenCase) =>
    sizeOf(operation === "rmsNorm" ? inputs[0]!.shape.slice(-1) : inputs[0]!.shape.slice(1)) <= 500;
  for (const golden of cases.filter(fits)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden), { f32: 1e-5 }));
  }

  test("more pictures than one window holds", async () => {
    const inputs = [
      { shape: [40, 3, 2, 8], seed: 1 },
      { shape: [8], seed: 2, shift: 1 },
      { shape: [8], seed: 3 },
    ];
    const work: Run = ([x, scale, shift]) => groupNorm(x!, 2, scale!, shift!);
    const [found, expected] = [
      await runWithGradients(await plainDevice(), inputs, work),
      await runWithGradients(await sharedDevice(), inputs, work),
    ];
    expect(found.output).toEqual(expected.output);
    expect(relativeError(found.gradients[1]!, expected.gradients[1]!)).toBeLessThan(1e-6);
  });
});

describe("finite differences", () => {
  const seen = new Set<string>();
  for (const golden of cases) {
    if (seen.has(golden.operation)) continue;
    seen.add(golden.operation);
    test(title(golden), async () =>
      checkDifferences(await sharedDevice(), golden.inputs, run(golden), { tolerance: 5e-3 }),
    );
  }
});

test("a single group of pictures without positions is layer norm, to the bit", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, formula({ shape: [3, 20], seed: 1 }), [3, 20]);
    const [scale, shift] = [2, 3].map((seed) => Tensor.from(device, formula({ shape: [20], seed }), [20]));
    return { group: groupNorm(x, 1, scale!, shift!).read(), layer: layerNorm(x, scale!, shift!).read() };
  });
  expect(await reads.group).toEqual(await reads.layer);
});

test("a map far from 0 keeps its variance", async () => {
  const device = await sharedDevice();
  const shape = [1, 32, 32, 4];
  const reads = device.scope(() => {
    const x = Tensor.from(device, formula({ shape, seed: 1, shift: 1000 }), shape);
    const [scale, shift] = [1, 0].map((value) => Tensor.from(device, Array(4).fill(value), [4]));
    return { y: instanceNorm(x, scale!, shift!).read() };
  });
  const y = await reads.y;
  const squares = y.reduce((total, value) => total + value * value, 0);
  expect(squares / y.length).toBeCloseTo(1, 3);
});

test("says what does not fit", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const [x, six, four] = [[2, 3, 3, 6], [6], [4]].map((shape) => Tensor.zeros(device, shape)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    expect(() => groupNorm(x, 4, six, six)).toThrow("6 channels cannot be put into 4 groups");
    expect(() => groupNorm(x, 0, six, six)).toThrow("the groups must be a whole number");
    expect(() => groupNorm(x, 2, four, six)).toThrow("groupNorm: scale has 4 elements for 6 channels");
    expect(() => groupNorm(six, 2, six, six)).toThrow("pictures [N, …, C], found [6]");
    expect(() => instanceNorm(x, six, four)).toThrow("instanceNorm: shift has 4");
    expect(() => rmsNorm(x, four)).toThrow("rmsNorm: scale has 4");
    expect(() => rmsNorm(x, six, -1)).toThrow("epsilon");
  });
});
