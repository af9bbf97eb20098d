import { describe, expect, test } from "bun:test";
import { einsum } from "../../../../engine/ops/contraction/einsum.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { sharedDevice } from "../../device.ts";

const cases = goldenCases("einsum");
const run =
  ({ options }: GoldenCase): Run =>
  (operands) =>
    einsum(options.equation, ...operands);
const title = ({ inputs, options }: GoldenCase) =>
  `${options.equation} of ${inputs.map(({ shape }) => `[${shape}]`).join(" ")}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

test("finite differences", async () => {
  for (const golden of [cases[2]!, cases[9]!, cases[16]!]) {
    await checkDifferences(await sharedDevice(), golden.inputs, run(golden));
  }
});

test("equations that do not go with their operands are refused", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [2, 3]);
    expect(() => einsum("ij,jk->ik", x)).toThrow('"ij,jk->ik" of [2,3]: it names 2 operands');
    expect(() => einsum("ijk->i", x)).toThrow('"ijk" does not name the 2 axes');
    expect(() => einsum("ij,ij->i", x, Tensor.zeros(device, [2, 4]))).toThrow('"j" is 3 and 4');
    expect(() => einsum("ij->ik", x)).toThrow("one that no operand has");
    expect(() => einsum("ij->ii", x)).toThrow("names a letter twice");
    expect(() => einsum("i1", x)).toThrow('letters such as "ij,jk->ik"');
    expect(() => einsum("i..j", x)).toThrow("wrong dots");
  });
});
