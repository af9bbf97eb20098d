import { describe, expect, test } from "bun:test";
import { batchedMatmul } from "../../../../engine/ops/contraction/batched.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const cases = goldenCases("batched");
const run: Run = ([a, b]) => batchedMatmul(a!, b!);
const title = ({ inputs }: GoldenCase) => inputs.map(({ shape }) => `[${shape}]`).join(" ");

/** Whole tensors, or entries of the batch that start aligned, within the 2 KiB bindings of the plain device. */
const fitsWindows = ({ inputs, shape }: GoldenCase) =>
  [...inputs.map((input) => input.shape), shape].every((extents) => {
    const entry = extents[1]! * extents[2]!;
    return extents[0]! * entry <= 508 || (entry <= 508 && entry % 64 === 0);
  });

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run));
  }
});

describe("in windows of 2 KiB", () => {
  for (const golden of cases.filter(fitsWindows)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run));
  }
});

test("finite differences", async () => {
  const inputs = [
    { shape: [3, 4, 5], seed: 1 },
    { shape: [3, 5, 6], seed: 2 },
  ];
  await checkDifferences(await sharedDevice(), inputs, run);
});

test("says which extents do not fit", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
    expect(() => batchedMatmul(zeros(2, 3, 4), zeros(3, 4, 5))).toThrow("[2,3,4] times [3,4,5]");
    expect(() => batchedMatmul(zeros(2, 3, 4), zeros(2, 5, 5))).toThrow("inner extents");
    expect(() => batchedMatmul(zeros(3, 4), zeros(4, 5))).toThrow("[3,4] times [4,5]");
  });
});
