import { describe, expect, test } from "bun:test";
import { interpolate } from "../../../../engine/ops/pictures/interpolate.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const cases = goldenCases("interpolate");
const run =
  ({ options }: GoldenCase): Run =>
  ([x]) =>
    interpolate(x!, options);
const title = ({ inputs, options }: GoldenCase, i: number) => `[${inputs[0]!.shape}] ${JSON.stringify(options)} ${i}`;

describe("as ONNX's reference and PyTorch", () => {
  for (const [i, golden] of cases.entries()) {
    test(title(golden, i), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

describe("in windows of 2 KiB", () => {
  for (const [i, golden] of cases.entries()) {
    if (i % 5 === 0) test(title(golden, i), async () => checkGolden(await plainDevice(), golden, run(golden)));
  }
});

describe("finite differences", () => {
  for (const filter of ["nearest", "linear", "cubic"] as const) {
    const options = { height: 4, width: 9, filter };
    test(filter, async () =>
      checkDifferences(await sharedDevice(), [{ shape: [2, 6, 5, 4], seed: 1 }], ([x]) => interpolate(x!, options)),
    );
  }
});

test("says what it does not take", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [1, 2, 2, 1]);
    const size = { height: 2, width: 3, filter: "linear" } as const;
    expect(() => interpolate(x, { ...size, height: 0 })).toThrow("height must be a whole number");
    expect(() => interpolate(x, { ...size, filter: "area" as "linear" })).toThrow('got "area"');
    expect(() => interpolate(x, { ...size, scale: [1, -1] })).toThrow("scale must be a finite number above 0");
    expect(() => interpolate(Tensor.zeros(device, [2, 2]), size)).toThrow("[N, H, W, C]");
  });
});
