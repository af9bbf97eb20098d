import { describe, expect, test } from "bun:test";
import { resizeBicubic } from "../../../../engine/ops/pictures/bicubic.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const cases = goldenCases("bicubic");
const run =
  ({ options }: GoldenCase): Run =>
  ([x]) =>
    resizeBicubic(x!, options);
const title = ({ inputs, options }: GoldenCase) => `[${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

describe("in windows of 2 KiB", () => {
  for (const golden of cases.filter(({ inputs }) => inputs[0]!.shape[0]! > 1)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden)));
  }
});

test("finite differences", async () => {
  const device = await sharedDevice();
  for (const antialias of [false, true]) {
    const options = { height: 4, width: 9, antialias };
    await checkDifferences(device, [{ shape: [2, 6, 5, 4], seed: 1 }], ([x]) => resizeBicubic(x!, options));
  }
});

test("says what it does not take", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    expect(() => resizeBicubic(Tensor.zeros(device, [1, 2, 2, 1]), { height: 0, width: 3 })).toThrow(
      "height must be a whole number",
    );
    expect(() => resizeBicubic(Tensor.zeros(device, [2, 2]), { height: 2, width: 3 })).toThrow("[N, H, W, C]");
  });
});
