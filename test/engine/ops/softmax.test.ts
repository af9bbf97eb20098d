import { describe, expect, test } from "bun:test";
import { logSoftmax, softmax } from "../../../engine/ops/softmax.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const cases = goldenCases("softmax");
const run = ({ operation, options }: GoldenCase): Run =>
  operation === "softmax" ? ([x]) => softmax(x!, options.axis) : ([x]) => logSoftmax(x!, options.axis);
const title = ({ operation, options, inputs }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden), { f32: 2e-6 }));
  }
});

describe("cut into windows", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden), { f32: 2e-6 }));
  }

  test("more rows than one window holds", async () => {
    const input = [{ shape: [300, 4], seed: 2 }];
    await checkDifferences(await plainDevice(), input, ([x]) => softmax(x!), { tolerance: 5e-3 });
  });
});

test("finite differences", async () => {
  const device = await sharedDevice();
  const input = [{ shape: [3, 6], seed: 1, scale: 2 }];
  await checkDifferences(device, input, ([x]) => softmax(x!), { tolerance: 5e-3 });
  await checkDifferences(device, input, ([x]) => logSoftmax(x!), { tolerance: 5e-3 });
});

test("large logits neither overflow nor vanish", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, [1e4, 0, -1e4, -1e4, -1e4, -1e4, -1e4, -1e4], [2, 4]);
    return { plain: softmax(x).read(), log: logSoftmax(x).read() };
  });
  expect([...(await reads.plain)]).toEqual([1, 0, 0, 0, 0.25, 0.25, 0.25, 0.25]);
  const log = await reads.log;
  expect([...log.slice(0, 4)]).toEqual([0, -1e4, -2e4, -2e4]);
  expect(log[4]).toBeCloseTo(-Math.log(4), 6);
});

test("says what it does not take", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    expect(() => softmax(Tensor.zeros(device, [2, 2], "u32"))).toThrow("softmax takes floating-point elements");
    expect(() => logSoftmax(Tensor.zeros(device, [2, 2], "u32"))).toThrow("u32");
    expect(() => softmax(Tensor.zeros(device, [2, 2]), 2)).toThrow("softmax: [2,2] has no axis 2");
  });
});
