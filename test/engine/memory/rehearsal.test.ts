import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { largestFit } from "../../../engine/memory/largest-fit.ts";
import { relu } from "../../../engine/ops/activations.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";
import { SmallNet } from "./net.ts";

/** Two steps, since the second may need more than the first; the optimiser's count is put back. */
function rehearsed(net: SmallNet, batch: number): void {
  const { steps } = net.optimiser;
  net.step(batch);
  net.step(batch);
  net.optimiser.steps = steps;
}

async function bits(net: SmallNet): Promise<Uint8Array[]> {
  const tensors = [...net.tensors(), ...net.optimiser.tensors("state")];
  return Promise.all(tensors.map(async ({ tensor }) => new Uint8Array((await tensor.read()).buffer)));
}

describe("a rehearsal", () => {
  test("finds the peak that the real steps then have, whatever the pool holds already", async () => {
    using device = await openDevice();
    const net = new SmallNet(device);
    for (const batch of [3, 40, 5, 700]) {
      const estimate = device.rehearse(() => rehearsed(net, batch));
      device.memory.resetPeak();
      for (let i = 0; i < 2; i++) await net.step(batch).loss;
      const real = device.memoryReport();
      expect(estimate.peakBytes).toBe(real.peakBytes);
      const composition = (report: typeof real) =>
        Object.fromEntries(report.owners.map(({ owner, atPeakBytes }) => [owner, atPeakBytes]));
      expect(composition(real)).toMatchObject(composition(estimate));
    }
  });

  test("changes nothing: no elements, no buffers, no gradients, no dispatches, no pipelines", async () => {
    using device = await openDevice();
    const net = new SmallNet(device);
    const before = { bits: await bits(net), use: device.memoryUse, owners: device.memoryReport().owners };
    const { dispatches } = device.stream;
    const report = device.rehearse(() => {
      rehearsed(net, 16);
      backward(net.loss(16));
      Tensor.zeros(device, [1000]).keep();
    });
    expect(report.peakBytes).toBeGreaterThan(before.use.peakBytes);
    expect(device.memoryUse).toEqual(before.use);
    expect(device.memoryReport().owners).toEqual(before.owners);
    expect(device.stream.dispatches).toBe(dispatches);
    expect(device.kernels.cached.pipelines).toBe(0);
    expect(device.scopes.depth).toBe(0);
    for (const { tensor } of net.tensors()) expect(tensor.gradient).toBeUndefined();
    expect(await bits(net)).toEqual(before.bits);

    const twin = new SmallNet(device);
    for (let i = 0; i < 3; i++) expect(await net.step(4).loss).toBe(await twin.step(4).loss);
    expect(await bits(net)).toEqual(await bits(twin));
  });

  test("counts a tensor from before that ends in it as given back once", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse;
    const x = Tensor.zeros(device, [500]);
    device.rehearse(() => {
      relu(x);
      x.dispose();
    });
    expect(x.disposed).toBe(true);
    expect(device.memoryUse).toMatchObject({ usedBytes: before.usedBytes, usedBuffers: before.usedBuffers });
    expect(Tensor.zeros(device, [500]).allocation.buffer).toBeDefined();
  });

  test("leaves those from before to their owners, also one that it counts for another", async () => {
    using device = await openDevice();
    const owners = () => device.memoryReport().owners.map(({ owner, bytes }) => [owner, bytes]);
    const [kept, ended] = [Tensor.zeros(device, [500]), Tensor.zeros(device, [700])];
    for (const tensor of [kept, ended]) tensor.requiresGradient = true;
    const before = new Map(owners() as [string, number][]);
    device.rehearse(() => {
      // A view of what was there: from here on it is an activation.
      for (const tensor of [kept, ended]) reshape(tensor, [tensor.size, 1]);
      ended.dispose();
      // Its buffer serves another owner in the rehearsal.
      device.owned("someone", () => Tensor.zeros(device, [700]));
    });
    expect(kept.allocation.owner).toBe("other");
    kept.dispose();
    expect(device.memoryUse.usedBytes).toBe(0);
    expect(new Map(owners() as [string, number][]).get("other")).toBe(0);
    expect(before.get("other")).toBeGreaterThan(0);
  });

  test("reads zeros, and lets errors of the work out", async () => {
    using device = await openDevice();
    using x = Tensor.from(device, [1, 2], [2]);
    let reading: Promise<Float32Array> | undefined;
    device.rehearse(() => {
      reading = scale(x, 2).read();
    });
    expect([...(await reading!)]).toEqual([0, 0]);
    const before = device.memoryUse;
    const failing = () => {
      relu(x);
      throw new Error("stop");
    };
    expect(() => device.rehearse(failing)).toThrow("stop");
    expect(() => device.rehearse(async () => {})).toThrow("synchronous");
    expect(() => device.rehearse(() => device.rehearse(() => {}))).toThrow("within another");
    expect(() => device.rehearse(() => Tensor.empty(device, [2 ** 40]))).toThrow(OutOfMemoryError);
    expect(() => device.rehearse(() => Tensor.zeros(device, [1000]), 1000)).toThrow(OutOfMemoryError);
    expect(device.memoryUse).toEqual(before);
    expect([...(await scale(x, 3).read())]).toEqual([3, 6]);
  });
});

describe("a memory limit", () => {
  test("N steps run below it and N + 1 are refused, as the rehearsal says", async () => {
    const memoryLimitBytes = 3_000_000;
    using device = await openDevice({ memoryLimitBytes });
    const net = new SmallNet(device);
    const most = largestFit(device, 1, 1000, (batch) => rehearsed(net, batch));
    expect(most).toBeGreaterThan(10);
    expect(most).toBeLessThan(1000);
    expect(() => device.rehearse(() => rehearsed(net, most + 1))).toThrow(OutOfMemoryError);

    const { peakBytes } = device.rehearse(() => rehearsed(net, most));
    for (let i = 0; i < 3; i++) await net.step(most).loss;
    expect(device.memoryUse.peakBytes).toBe(peakBytes);
    expect(peakBytes).toBeLessThanOrEqual(memoryLimitBytes);
    // Other sizes make room by giving unused buffers back.
    await net.step(most - 7).loss;
    await net.step(1).loss;
    expect(device.memoryUse.peakBytes).toBeLessThanOrEqual(memoryLimitBytes);

    const used = device.memoryUse.usedBytes;
    expect(() => net.step(2 * most)).toThrow(/are wanted, .* of 2.86 MiB are in use; at its peak .*activations/);
    for (const { tensor } of net.tensors()) expect(tensor.gradient).toBeUndefined();
    expect(device.memoryUse.usedBytes).toBe(used);
    expect(await net.step(most).loss).toBeGreaterThan(0);
  });

  test("below the least batch is reported as none", async () => {
    using device = await openDevice({ memoryLimitBytes: 50_000 });
    const net = new SmallNet(device);
    expect(largestFit(device, 2, 64, (batch) => rehearsed(net, batch))).toBe(0);
    expect(() => largestFit(device, 1, 8, () => sum(Tensor.zeros(device, [-1])))).toThrow("is not a shape");
  });
});
