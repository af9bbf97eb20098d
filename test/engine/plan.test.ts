import { afterAll, describe, expect, test } from "bun:test";
import { backward } from "../../engine/autograd.ts";
import { openDevice } from "../../engine/device/open.ts";
import { add } from "../../engine/ops/arithmetic.ts";
import { matmul } from "../../engine/ops/contraction/matmul.ts";
import { normalise } from "../../engine/ops/pictures/image.ts";
import { sum } from "../../engine/ops/reduce.ts";
import { scale } from "../../engine/ops/unary.ts";
import { WeightAverage } from "../../engine/optim/average.ts";
import type { OptimiserOptions } from "../../engine/optim/optimiser.ts";
import { Tensor } from "../../engine/tensor.ts";
import { SmallNet } from "./memory/net.ts";

const device = await openDevice();
afterAll(() => device.close());

const batch = 5;
const steps = 8;
const rateAt = (step: number) => 1 / (1 + step);

/** Losses and all tensors after some steps, eagerly or as replays of the second step. */
async function train(replayed: boolean, options: Omit<OptimiserOptions, "kind">) {
  const net = new SmallNet(device, options);
  const average = new WeightAverage(net.tensors(), { decay: 0.9 });
  const { x, targets, weights, pixels } = net.batch(batch);
  const step = (factor: number) => {
    const loss = net.lossOf({ x, targets, weights });
    backward(loss, net.optimiser.seed());
    net.optimiser.step(factor);
    net.optimiser.clearGradients();
    average.update();
    return { loss };
  };
  const losses: number[] = [];
  let plan: ReturnType<typeof device.trace<{ loss: Tensor }>> | undefined;
  for (let i = 0; i < steps; i++) {
    x.write(pixels.map((value) => value * Math.cos(i)));
    if (plan) {
      net.optimiser.advance(rateAt(i));
      average.advance();
      plan.replay();
      losses.push(await plan.result.loss.item());
    } else if (replayed && i === 1) {
      plan = device.trace(() => step(rateAt(i)));
      losses.push(await plan.result.loss.item());
    } else {
      losses.push(await device.scope(() => ({ loss: step(rateAt(i)).loss.item() })).loss);
    }
  }
  const tensors = [...net.tensors(), ...net.optimiser.tensors("o"), ...average.tensors("a")];
  const values = await Promise.all(tensors.map(({ tensor }) => tensor.read()));
  const dispatches = plan?.dispatches;
  plan?.dispose();
  for (const tensor of [x, targets, weights]) tensor.dispose();
  average.dispose();
  net.dispose();
  return { losses, values, dispatches };
}

describe("a training step", () => {
  test.each([
    ["plain", {}],
    ["clipped and scaled", { clipNorm: 0.5, lossScale: { interval: 3 } }],
  ] as const)("%s: replays give the bits of steps that are recorded each time", async (_, options) => {
    const eager = await train(false, options);
    const before = device.memoryUse.usedBytes;
    const replayed = await train(true, options);
    expect(replayed.dispatches).toBeGreaterThan(20);
    expect(replayed.losses).toEqual(eager.losses);
    expect(replayed.values).toEqual(eager.values);
    expect(new Set(eager.losses).size).toBe(steps);
    // Everything the plan held has gone back.
    expect(device.memoryUse.usedBytes).toBe(before);
  });
});

describe("a plan", () => {
  const tensor = (values: number[]) => Tensor.from(device, values, [values.length]);

  test("reads its inputs anew, writes its results anew and uses its buffers again", async () => {
    using x = tensor([1, 2, 3]);
    const before = device.memoryUse;
    using plan = device.trace(() => {
      let y = scale(x, 2);
      for (let i = 0; i < 10; i++) {
        const next = add(y, x);
        y.dispose();
        y = next;
      }
      return { y, total: sum(y) };
    });
    // Ten sums in turn need two buffers and the results theirs.
    expect(device.memoryUse.usedBuffers - before.usedBuffers).toBeLessThan(6);
    expect(Array.from(await plan.result.y.read())).toEqual([12, 24, 36]);
    x.write(Float32Array.from([-1, 0, 5]));
    plan.replay();
    plan.replay();
    expect(Array.from(await plan.result.y.read())).toEqual([-12, 0, 60]);
    expect(await plan.result.total.item()).toBe(48);
  });

  test("keeps tables that the host filled", async () => {
    using x = Tensor.from(device, new Float32Array(12).fill(3), [1, 2, 2, 3]);
    using plan = device.trace(() => {
      const y = normalise(x, [1, 2, 3], [1, 2, 4]);
      // Buffers of the table's size that would take its place if it were given back.
      for (let i = 0; i < 4; i++) scale(scale(y, 0), 0);
      return y;
    });
    plan.replay();
    expect(Array.from(await plan.result.read()).slice(0, 3)).toEqual([2, 0.5, 0]);
    plan.replay();
    expect(Array.from(await plan.result.read()).slice(0, 3)).toEqual([2, 0.5, 0]);
  });

  test("goes on after other work on the same device", async () => {
    using a = Tensor.from(device, new Float32Array(64).fill(1), [8, 8]);
    using plan = device.trace(() => matmul(a, matmul(a, a)));
    device.scope(() => {
      for (let i = 0; i < 20; i++) matmul(scale(a, i), a);
    });
    plan.replay();
    expect((await plan.result.read())[0]).toBe(64);
  });

  test("says what it cannot do", () => {
    const x = tensor([1, 2]);
    expect(() => device.trace(() => Tensor.from(device, [1], [1]))).toThrow("uploaded in a traced step");
    expect(() => device.trace(() => x.write(new Float32Array(2)))).toThrow("wrote to a tensor");
    expect(() => device.trace(() => device.trace(() => x))).toThrow("within another");
    const plan = device.trace(() => scale(x, 2));
    x.dispose();
    expect(() => plan.replay()).toThrow("has ended");
    plan.dispose();
    expect(() => plan.replay()).toThrow("disposed");
  });

  test("needs the memory that a rehearsal says", () => {
    using x = Tensor.from(device, new Float32Array(1e6), [1e6]);
    device.memory.drain();
    const work = () => {
      const y = scale(scale(scale(x, 2), 2), 2);
      for (let i = 0; i < 3; i++) scale(y, i).dispose();
      return y;
    };
    const { peakBytes } = device.rehearse(() => {
      const plan = device.trace(work);
      plan.replay();
      plan.dispose();
    });
    device.memory.resetPeak();
    using plan = device.trace(work);
    plan.replay();
    expect(device.memoryUse.peakBytes).toBe(peakBytes);
  });

  test("a failing recording leaves nothing", () => {
    using x = tensor([1, 2]);
    const before = device.memoryUse.usedBytes;
    expect(() =>
      device.trace(() => {
        scale(x, 2);
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(device.memoryUse.usedBytes).toBe(before);
  });
});
