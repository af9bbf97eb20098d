import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { WeightAverage } from "../../../engine/optim/average.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula, relativeError } from "../check.ts";
import { sharedDevice } from "../device.ts";

const golden: { decay: number; warmup: boolean; after: number[][] }[] = JSON.parse(
  readFileSync(new URL("../../golden/average.json", import.meta.url), "utf8"),
);
const shape = [3, 5];

async function network() {
  const device = await sharedDevice();
  const tensor = Tensor.from(device, formula({ shape, seed: 0 }), shape).keep();
  const mean = Tensor.from(device, [1, 2], [2]).keep();
  return [
    { name: "p", tensor, kind: "matrix", role: "parameter" },
    { name: "mean", tensor: mean, kind: "vector", role: "statistic" },
  ] as const;
}

describe("moving averages against PyTorch", () => {
  for (const { decay, warmup, after } of golden) {
    test(`decay ${decay}${warmup ? ", warmed up" : ""}`, async () => {
      const [parameter, mean] = await network();
      const average = new WeightAverage([parameter, mean], { decay, warmup });
      for (const [step, expected] of after.entries()) {
        parameter.tensor.write(formula({ shape, seed: step + 1 }));
        average.update();
        const [found, ...others] = average.tensors("average");
        expect(others).toBeEmpty();
        expect(found!.name).toBe("average.p");
        expect(relativeError(await found!.tensor.read(), expected)).toBeLessThan(1e-5);
      }
      for (const one of [average, parameter.tensor, mean.tensor]) one.dispose();
    });
  }
});

test("averages are applied and taken back bit for bit; statistics stay those of the network", async () => {
  const [parameter, mean] = await network();
  const { device } = parameter.tensor;
  const average = new WeightAverage([parameter, mean], { decay: 0.5 });
  parameter.tensor.write(formula({ shape, seed: 1 }));
  mean.tensor.write(Float32Array.from([3, 4]));
  average.update();
  const averaged = await average.tensors("")[0]!.tensor.read();
  const buffers = device.memoryUse.usedBuffers;
  {
    using _ = average.applied();
    expect(await parameter.tensor.read()).toEqual(averaged);
    expect([...(await mean.tensor.read())]).toEqual([3, 4]);
    expect(() => average.update()).toThrow("the averages are applied");
    expect(() => average.applied()).toThrow("already");
    expect(() => average.tensors("")).toThrow("before they are stored");
  }
  expect(await parameter.tensor.read()).toEqual(formula({ shape, seed: 1 }));
  expect(await average.tensors("")[0]!.tensor.read()).toEqual(averaged);
  expect(device.memoryUse.usedBuffers).toBe(buffers);
  expect(() => new WeightAverage([parameter], { decay: 1 })).toThrow("from 0 to below 1, found 1");
  for (const one of [average, parameter.tensor, mean.tensor]) one.dispose();
});
