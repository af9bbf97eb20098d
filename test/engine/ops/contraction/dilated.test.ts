import { describe, expect, test } from "bun:test";
import { conv2d } from "../../../../engine/ops/contraction/conv.ts";
import { conv1d, convTranspose2d } from "../../../../engine/ops/contraction/conv-transpose.ts";
import { sizeOf, Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const operations = { conv2d, conv1d, convTranspose2d };
const cases = goldenCases("dilated");
const run =
  ({ operation, options }: GoldenCase): Run =>
  ([x, weight, bias]) =>
    operations[operation as "conv2d"](x!, weight!, { ...options, bias });
const title = ({ operation, inputs, options }: GoldenCase) =>
  `${operation} ${inputs.map(({ shape }) => `[${shape}]`).join(" ")} ${JSON.stringify(options)}`;

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases.filter(({ inputs, output }) =>
    [output.length, ...inputs.map(({ shape }) => sizeOf(shape))].every((size) => size < 400),
  )) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden)));
  }
});

describe("against finite differences", () => {
  for (const golden of [0, 3, 6, 12, 17, 20].map((i) => cases[i]!)) {
    test(title(golden), async () => checkDifferences(await sharedDevice(), golden.inputs, run(golden)));
  }
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const wrong: [() => unknown, string][] = [
    [
      () => conv2d(zeros(1, 4, 4, 4), zeros(3, 3, 4, 4), { dilation: 2 }),
      "3x3 kernel dilated by 2,2 does not fit a 4x4",
    ],
    [
      () =>
        conv2d(zeros(1, 4, 4, 4), zeros(3, 3, 4, 4), {
          padding: [
            [1, -1],
            [0, 0],
          ],
        }),
      "padding must be",
    ],
    [() => conv2d(zeros(1, 4, 4, 4), zeros(3, 3, 4, 4), { dilation: 0 }), "got 0"],
    [
      () => convTranspose2d(zeros(1, 4, 4, 4), zeros(3, 3, 4, 3)),
      "weight [3,3,4,3] with 1 group(s) does not fit 4 channels",
    ],
    [() => convTranspose2d(zeros(1, 1, 1, 4), zeros(1, 1, 4, 4), { padding: 1 }), "nothing is left of [1,1,1,4]"],
    [() => convTranspose2d(zeros(1, 4, 4, 4), zeros(3, 3, 2, 4), { bias: zeros(4) }), "bias [4] for 2 channels"],
    [() => conv1d(zeros(1, 4, 4, 4), zeros(3, 4, 4)), "found [1,4,4,4]"],
  ];
  for (const [work, text] of wrong) {
    expect(() =>
      device.scope(() => {
        work();
      }),
    ).toThrow(text);
  }
});
