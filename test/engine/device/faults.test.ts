import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { GpuError, OutOfMemoryError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { SharedDevice } from "../../../engine/device/shared.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";

/** Something that WebGPU refuses, and has told of. */
async function fault(device: Device): Promise<void> {
  device.gpu.createBuffer({ size: 16, usage: 0 });
  await device.gpu.queue.onSubmittedWorkDone();
}

/** True when the device computes what it should, forward and backward. */
async function works(device: Device): Promise<void> {
  const reads = device.scope(() => {
    const x = Tensor.from(device, [1, 2, 3, 4], [4]);
    x.requiresGradient = true;
    const y = scale(x, 2);
    backward(sum(y));
    const result = { y: y.read(), gradient: x.gradient!.read() };
    x.gradient!.dispose();
    return result;
  });
  expect(Array.from(await reads.y)).toEqual([2, 4, 6, 8]);
  expect(Array.from(await reads.gradient)).toEqual([2, 2, 2, 2]);
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("an error that WebGPU reports is told once", () => {
  const tellers: [string, (device: Device, x: Tensor) => unknown][] = [
    ["an operation", (_, x) => scale(x, 2)],
    ["an upload", (device) => Tensor.from(device, [1], [1])],
    ["a write", (_, x) => x.write([1, 2])],
    ["a scope", (device, x) => device.scope(() => scale(x, 2))],
    ["a trace", (device, x) => device.trace(() => scale(x, 2))],
    [
      "backward",
      (device, x) => {
        x.requiresGradient = true;
        const loss = sum(x);
        return fault(device).then(() => backward(loss));
      },
    ],
    ["a read", (_, x) => x.read()],
    ["a wait", (device) => device.finish()],
  ];
  test.each(tellers)("by %s, and the device goes on", async (name, tell) => {
    using device = await openDevice();
    const x = Tensor.from(device, [1, 2], [2]);
    if (name !== "backward") await fault(device);
    let error: unknown;
    try {
      await tell(device, x);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GpuError);
    expect(device.usable).toBe(true);
    await works(device);
    await device.finish();
  });

  test("by every wait that was in progress", async () => {
    using device = await openDevice();
    const x = Tensor.from(device, new Float32Array(2 ** 20), [2 ** 20]);
    const waits = [scale(x, 2).read(), scale(x, 3).read()];
    device.gpu.createBuffer({ size: 16, usage: 0 });
    const ends = await Promise.allSettled(waits);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await works(device);
  });

  test("a plan replays after it", async () => {
    using device = await openDevice();
    using x = Tensor.from(device, [1, 2], [2]);
    using plan = device.trace(() => scale(x, 3));
    await fault(device);
    expect(thrownBy(() => plan.replay())).toBeInstanceOf(GpuError);
    x.write([5, 6]);
    plan.replay();
    expect(Array.from(await plan.result.read())).toEqual([15, 18]);
  });

  test("a shared device is not opened anew for it", async () => {
    const shared = new SharedDevice(() => openDevice());
    const first = await shared.lease();
    await fault(first.device);
    const second = await shared.lease();
    expect(second.device).toBe(first.device);
    expect(thrownBy(() => first.device.check())).toBeInstanceOf(GpuError);
    await works(second.device);
    first.release();
    second.release();
  });
});

test("commands that were recorded with what was refused are part of the same fault", async () => {
  using device = await openDevice();
  const x = Tensor.from(device, [1, 2], [2]);
  // A bind group of a buffer that is gone spoils the commands that use it.
  const spoilt = scale(x, 2);
  x.allocation.buffer.destroy();
  await expect(spoilt.read()).rejects.toThrow(GpuError);
  await device.finish().catch(() => {});
  await works(device);
});

test("a kernel that the adapter refuses fails alone, at every call", async () => {
  using device = await openDevice();
  using x = Tensor.zeros(device, [4]);
  const run = () =>
    device.kernels.run(
      "elementwise/accumulate",
      { WORKGROUP: 1_000_000 },
      { sum: x.window(), x: other.window() },
      { count4: 1 },
      [1, 1, 1],
    );
  using other = Tensor.zeros(device, [4]);
  run();
  await expect(device.finish()).rejects.toThrow("kernel elementwise/accumulate");
  expect(String(thrownBy(run))).toContain("kernel elementwise/accumulate");
  await works(device);
});

test("tensors of two devices are refused, and both devices go on", async () => {
  using device = await openDevice();
  using other = await openDevice();
  const [a, b] = [Tensor.from(device, [1], [1]), Tensor.from(other, [2], [1])];
  expect(String(thrownBy(() => add(a, b)))).toContain("add: a and b lie on two devices");
  expect(
    String(
      thrownBy(() =>
        device.kernels.run(
          "elementwise/accumulate",
          { WORKGROUP: 64 },
          { sum: a.window(), x: b.window() },
          { count4: 1 },
          [1, 1, 1],
        ),
      ),
    ),
  ).toContain('"x" lies on another device');
  await works(device);
  await works(other);
});

describe("a loop that runs out of memory", () => {
  const loop = (device: Device) => {
    for (let i = 0; i < 1000; i++) Tensor.zeros(device, [2 ** 18]);
  };

  test("outside of all scopes names scopes, with what lies outside", async () => {
    using device = await openDevice({ memoryLimitBytes: 16 * 2 ** 20 });
    const error = thrownBy(() => loop(device)) as Error;
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error.message).toContain(
      "16 tensors of 16 MiB were made outside a scope and not disposed of; put the loop's body into device.scope(() => …)",
    );
  });

  test("within a scope, or with tensors that are kept, does not", async () => {
    using device = await openDevice({ memoryLimitBytes: 16 * 2 ** 20 });
    const scoped = thrownBy(() => device.scope(() => loop(device))) as Error;
    expect(scoped).toBeInstanceOf(OutOfMemoryError);
    expect(scoped.message).not.toContain("scope(");
    const kept = thrownBy(() => {
      for (let i = 0; i < 100; i++) Tensor.zeros(device, [2 ** 18]).keep();
    }) as Error;
    expect(kept.message).not.toContain("scope(");
  });

  test("what is returned from the outermost scope lies outside, what is disposed of does not", async () => {
    using device = await openDevice();
    const x = device.scope(() => Tensor.zeros(device, [64]));
    expect(device.scopes.loose).toEqual({ tensors: 1, bytes: 256 });
    x.dispose();
    expect(device.scopes.loose).toEqual({ tensors: 0, bytes: 0 });
  });
});
