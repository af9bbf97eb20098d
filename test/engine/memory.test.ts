import { describe, expect, test } from "bun:test";
import { backward } from "../../engine/autograd.ts";
import { DeviceLostError, GpuError } from "../../engine/device/errors.ts";
import { openDevice } from "../../engine/device/open.ts";
import { BufferPool, sizeClass } from "../../engine/memory/pool.ts";
import { relu } from "../../engine/ops/activations.ts";
import { add } from "../../engine/ops/arithmetic.ts";
import { conv2d } from "../../engine/ops/contraction/conv.ts";
import { sum } from "../../engine/ops/reduce.ts";
import { scale } from "../../engine/ops/unary.ts";
import { Tensor } from "../../engine/tensor.ts";
import { sharedDevice } from "./device.ts";

describe("buffer pool", () => {
  const fake = () => {
    const destroyed: number[] = [];
    const pool = new BufferPool(
      (size) => ({ size }) as GPUBuffer,
      (buffer) => destroyed.push(buffer.size),
    );
    return { pool, destroyed };
  };

  test("hands a released buffer out again", () => {
    const { pool } = fake();
    const first = pool.acquire(1000);
    pool.release(first);
    expect(pool.acquire(1010)).toBe(first);
    expect(pool.use).toMatchObject({ usedBuffers: 1, freeBuffers: 0, usedBytes: 1024, peakBytes: 1024 });
  });

  test("rounds sizes up by at most an eighth", () => {
    for (const bytes of [1, 256, 257, 5000, 123_456, 99_999_999]) {
      expect(sizeClass(bytes)).toBeGreaterThanOrEqual(bytes);
      expect(sizeClass(bytes)).toBeLessThanOrEqual(Math.max(512, bytes * 1.126));
    }
  });

  test("gives the longest unused buffers back when other sizes are needed", () => {
    const { pool, destroyed } = fake();
    const large = [1, 2, 3, 4].map((i) => pool.acquire(2 ** 28 + i * 2 ** 26));
    for (const allocation of large) pool.release(allocation);
    pool.acquire(2 ** 24);
    expect(destroyed[0]).toBe(large[0]!.sizeBytes);
    pool.drain();
    expect(pool.use.freeBytes).toBe(0);
  });
});

describe("scopes", () => {
  test("free what is not returned, and keep what is", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse.usedBuffers;
    const { kept } = device.scope(() => {
      const x = Tensor.from(device, [1, -2, 3], [3]);
      return { kept: device.scope(() => relu(scale(x, 2))) };
    });
    expect(device.memoryUse.usedBuffers).toBe(before + 1);
    expect([...(await kept.read())]).toEqual([2, 0, 6]);
    kept.dispose();
    expect(device.memoryUse.usedBuffers).toBe(before);
    expect(() => scale(kept, 1)).toThrow("after it was disposed");
  });

  test("free everything when the work throws, and refuse asynchronous work", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse.usedBuffers;
    expect(() =>
      device.scope(() => {
        Tensor.zeros(device, [100]);
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(() => device.scope(async () => Tensor.zeros(device, [100]))).toThrow("synchronous");
    expect(device.memoryUse.usedBuffers).toBe(before);
  });

  test("`using` ends a tensor", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse.usedBuffers;
    {
      using _tensor = Tensor.zeros(device, [8]);
      expect(device.memoryUse.usedBuffers).toBe(before + 1);
    }
    expect(device.memoryUse.usedBuffers).toBe(before);
  });
});

test("an upload does not overtake recorded work on the buffer's earlier tensor", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const first = Tensor.from(device, new Float32Array(5000).fill(1), [5000]);
    const doubled = scale(first, 2);
    first.dispose();
    Tensor.from(device, new Float32Array(5000).fill(9), [5000]);
    return { doubled: doubled.read() };
  });
  expect((await reads.doubled).every((x) => x === 2)).toBe(true);
});

test("a gradient reaches a tensor used twice, and adds up over calls", async () => {
  const device = await sharedDevice();
  const x = Tensor.from(device, [1, 2], [2]).keep();
  x.requiresGradient = true;
  for (let i = 0; i < 2; i++) device.scope(() => backward(sum(add(x, scale(x, 3)))));
  expect([...(await x.gradient!.read())]).toEqual([8, 8]);
  x.dispose();
});

test("a hundred training steps hold the buffers of the tenth", async () => {
  const device = await sharedDevice();
  const weight = Tensor.from(device, new Float32Array(3 * 3 * 4 * 4).fill(0.01), [3, 3, 4, 4]).keep();
  weight.requiresGradient = true;
  const step = () =>
    device.scope(() => {
      const x = Tensor.from(device, new Float32Array(2 * 8 * 8 * 4).fill(1), [2, 8, 8, 4]);
      backward(sum(relu(conv2d(x, weight, { padding: 1 }))));
      weight.gradient!.dispose();
      weight.gradient = undefined;
    });
  for (let i = 0; i < 10; i++) step();
  const tenth = device.memoryUse;
  for (let i = 0; i < 90; i++) step();
  await device.finish();
  expect(device.memoryUse).toEqual(tenth);
  weight.dispose();
});

describe("what goes wrong on the device is thrown", () => {
  test("a lost device", async () => {
    const device = await openDevice();
    const x = Tensor.from(device, [1, 2], [2]);
    device.gpu.destroy();
    await device.gpu.lost;
    expect(() => scale(x, 2)).toThrow(DeviceLostError);
    await expect(x.read()).rejects.toThrow(DeviceLostError);
  });

  test("once, an error that WebGPU reports late; the device goes on", async () => {
    using device = await openDevice();
    const x = Tensor.from(device, [1, 2], [2]);
    device.gpu.createBuffer({ size: 16, usage: 0 });
    await device.gpu.queue.onSubmittedWorkDone();
    await expect(device.finish()).rejects.toThrow(GpuError);
    expect(Array.from(await scale(x, 2).read())).toEqual([2, 4]);
  });

  test("a kernel call without an argument, with a wrong parameter, or beyond the grid", async () => {
    const device = await sharedDevice();
    using x = Tensor.zeros(device, [4]);
    const run = (bindings: object, parameters: object, grid: [number, number, number] = [1, 1, 1]) =>
      device.kernels.run("elementwise/accumulate", { WORKGROUP: 64 }, bindings as never, parameters as never, grid);
    using y = Tensor.zeros(device, [4]);
    const both = { sum: x.window(), x: y.window() };
    expect(() => run({ sum: x.window() }, { count4: 1 })).toThrow('no argument for "x"');
    expect(() => run(both, {})).toThrow('"count4" is missing');
    expect(() => run(both, { count4: Number.NaN })).toThrow("not a number");
    expect(() => run(both, { count4: 1 }, [70_000_000, 1, 1])).toThrow(GpuError);
  });

  test("a buffer beyond the adapter's limit", async () => {
    const device = await sharedDevice();
    expect(() => Tensor.empty(device, [2 ** 40])).toThrow("smaller batch");
  });
});
