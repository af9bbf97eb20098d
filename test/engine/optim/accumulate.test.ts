import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import { BatchNorm, Convolution, Linear } from "../../../engine/nn/layers.ts";
import { slice } from "../../../engine/ops/join.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { globalAveragePool } from "../../../engine/ops/pool.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { square } from "../../../engine/ops/unary.ts";
import { accumulateGradients, type MicroBatch, microBatches } from "../../../engine/optim/accumulate.ts";
import { Optimiser, type OptimiserOptions } from "../../../engine/optim/optimiser.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula, relativeError } from "../check.ts";
import { sharedDevice } from "../device.ts";

test("batches are cut into equally long runs", () => {
  expect(microBatches(8, 8)).toEqual([{ start: 0, count: 8 }]);
  expect(microBatches(7, 3)).toEqual([
    { start: 0, count: 3 },
    { start: 3, count: 2 },
    { start: 5, count: 2 },
  ]);
  for (const [batch, size] of [
    [64, 12],
    [9, 4],
    [5, 1],
    [3, 100],
  ] as const) {
    const parts = microBatches(batch, size);
    expect(parts.reduce((end, { start, count }) => (start === end ? end + count : Number.NaN), 0)).toBe(batch);
    const counts = parts.map(({ count }) => count);
    expect(Math.max(...counts)).toBeLessThanOrEqual(size);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
  expect(() => microBatches(4, 0)).toThrow("found 4 rows by 0");
});

test("rows that belong together stay together", () => {
  // Four pairs and two pictures: a plain cut into three would part a pair.
  expect(microBatches(10, 4, [2, 2, 2, 2, 1, 1])).toEqual([
    { start: 0, count: 4 },
    { start: 4, count: 2 },
    { start: 6, count: 4 },
  ]);
  // The equal cut would need runs of 4: one more run is taken.
  expect(microBatches(9, 5, [3, 3, 3])).toEqual([
    { start: 0, count: 3 },
    { start: 3, count: 3 },
    { start: 6, count: 3 },
  ]);
  expect(microBatches(9, 4, Array(9).fill(1))).toEqual(microBatches(9, 4));
  expect(() => microBatches(4, 2, [3, 1])).toThrow("must be 1 to 2, the size of a run; found 3");
  expect(() => microBatches(4, 2, [2, 1])).toThrow("add up to 3, the batch has 4");
});

const batch = 8;
const side = 9;
const levels = 6;

/** Two convolutions with norms, pooling and a linear layer. */
function network(device: Device, frozen: boolean) {
  const random = new Random(3, "network");
  const first = new Convolution(device, random, { in: 3, out: 8 }, { kernel: 3, padding: 1 });
  const second = new Convolution(device, random, { in: 8, out: 12 }, { kernel: 3, stride: 2, padding: 1 });
  const norms = [new BatchNorm(device, 8), new BatchNorm(device, 12)] as const;
  const last = new Linear(device, random, { in: 12, out: levels });
  for (const [i, norm] of norms.entries()) {
    norm.runningMean.write(formula({ shape: [norm.runningMean.size], seed: 20 + i, scale: 0.2 }));
    norm.runningVariance.write(formula({ shape: [norm.runningMean.size], seed: 30 + i, scale: 0.2, shift: 1 }));
    if (frozen) norm.freeze();
  }
  const tensors = [first, second, ...norms, last].flatMap((layer, i) => layer.tensors(`${i}`));
  const forward = (x: Tensor) => {
    const map = norms[0].forward(first.forward(x), true, { relu: true });
    return last.forward(globalAveragePool(norms[1].forward(second.forward(map), true, { relu: true })));
  };
  return { tensors, forward };
}

/** All parameters after some steps in which the batch was run in the given parts, and the first loss and logits. */
async function train(parts: readonly MicroBatch[], options: OptimiserOptions, { frozen = true, steps = 6 } = {}) {
  const device = await sharedDevice();
  const { tensors, forward } = network(device, frozen);
  const parameters = tensors.filter(({ role }) => role === "parameter");
  const optimiser = new Optimiser([{ parameters, rate: 0.05, decay: 1e-3 }], options);
  const pictures = formula({ shape: [batch, side, side, 3], seed: 1 });
  const targets = formula({ shape: [batch, levels], seed: 2, scale: 0.1, shift: 1 / levels });
  const losses: number[] = [];
  let logits: number[] = [];
  for (let step = 0; step < steps; step++) {
    const reads = device.scope(() => {
      const seen: Promise<Float32Array>[] = [];
      const loss = accumulateGradients(
        device,
        parts,
        ({ start, count }) => {
          const rows = (data: Float32Array<ArrayBuffer>, shape: number[]) => {
            const length = data.length / batch;
            return Tensor.from(device, data.slice(start * length, (start + count) * length), [count, ...shape]);
          };
          const out = forward(rows(pictures, [side, side, 3]));
          seen.push(out.read());
          const weights = Tensor.from(device, new Float32Array(count).fill(1), [count]);
          return weightedMean(softCrossEntropy(out, rows(targets, [levels])), weights, batch);
        },
        optimiser.seed(),
      );
      optimiser.step();
      optimiser.clearGradients();
      return { loss: loss.item(), seen };
    });
    losses.push(await reads.loss);
    if (step === 0) logits = (await Promise.all(reads.seen)).flatMap((part) => [...part]);
    else await Promise.all(reads.seen);
  }
  const values = await Promise.all(parameters.map(({ tensor }) => tensor.read()));
  optimiser.dispose();
  for (const { tensor } of tensors) tensor.dispose();
  return { values, losses, logits };
}

const sgd = { kind: "sgd" } as const;

describe("micro-batches against the whole batch, norms frozen", () => {
  test.each([4, 3, 1])("at most %d rows: the same parameters to f32 rounding", async (size) => {
    const whole = await train(microBatches(batch, batch), sgd);
    const cut = await train(microBatches(batch, size), sgd);
    // A row's numbers come from the same sums in the same order, whatever rows are beside it.
    expect(cut.logits).toEqual(whole.logits);
    expect(relativeError(cut.losses, whole.losses)).toBeLessThan(1e-6);
    for (const [i, values] of cut.values.entries()) expect(relativeError(values, whole.values[i]!)).toBeLessThan(2e-6);
    // The steps moved the parameters by far more than that.
    const start = await train([{ start: 0, count: batch }], sgd, { steps: 0 });
    expect(relativeError(start.values[0]!, whole.values[0]!)).toBeGreaterThan(1e-2);
  });

  test("one micro-batch has the bits of the whole batch, and every cut has its own bits each time", async () => {
    const options = { kind: "adam", clipNorm: 0.1, lossScale: {} } as const;
    expect(await train(microBatches(batch, 100), options)).toEqual(await train([{ start: 0, count: batch }], options));
    expect(await train(microBatches(batch, 3), options)).toEqual(await train(microBatches(batch, 3), options));
  });
});

test("norms in training take their statistics from the micro-batch: the parameters differ", async () => {
  const whole = await train(microBatches(batch, batch), sgd, { frozen: false });
  const cut = await train(microBatches(batch, 4), sgd, { frozen: false });
  expect(relativeError(cut.values[0]!, whole.values[0]!)).toBeGreaterThan(1e-4);
});

test("a micro-batch is freed before the next one runs", async () => {
  const device = await sharedDevice();
  const { tensors, forward } = network(device, true);
  const peak = (size: number) => {
    let most = 0;
    device.scope(() =>
      accumulateGradients(device, microBatches(64, size), ({ count }) => {
        const out = forward(Tensor.zeros(device, [count, side, side, 3]));
        most = Math.max(most, device.memoryUse.usedBytes);
        const target = Tensor.from(device, new Float32Array(count * levels).fill(1 / levels), [count, levels]);
        return weightedMean(softCrossEntropy(out, target), Tensor.zeros(device, [count]), 64);
      }),
    );
    return most;
  };
  const before = device.memoryUse.usedBytes;
  const [whole, cut] = [peak(64) - before, peak(8) - before];
  expect(cut).toBeLessThan(whole / 4);
  for (const { tensor } of tensors) tensor.dispose();
});

test("numbers behind the loss add up over the micro-batches and have no part in the gradients", async () => {
  const device = await sharedDevice();
  const run = (size: number) => {
    const reads = device.scope(() => {
      const x = Tensor.from(device, [1, 2, 3, 4, 5, 6], [6]);
      x.requiresGradient = true;
      const totals = accumulateGradients(device, microBatches(6, size), ({ start, count }) => {
        const rows = slice(x, [start], [start + count]);
        return [sum(rows), sum(square(rows)), Tensor.from(device, [count], [1])];
      });
      return [...totals, x.gradient!].map((tensor) => tensor.read());
    });
    return Promise.all(reads).then((all) => all.map((numbers) => [...numbers]));
  };
  const expected = [[21], [91], [6], [1, 1, 1, 1, 1, 1]];
  expect(await run(6)).toEqual(expected);
  expect(await run(4)).toEqual(expected);
});
