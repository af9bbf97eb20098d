import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { relu, sigmoid } from "../../../engine/ops/activations.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";
import { SmallNet } from "./net.ts";

/** Everything that could grow: buffers on the device, and what the host keeps for them. */
function held(device: Device) {
  return {
    ...device.memoryUse,
    owners: device.memoryReport().owners,
    pipelines: device.kernels.cached.pipelines,
    scopes: device.scopes.depth,
  };
}

test("a thousand training steps end with the buffers of the tenth", async () => {
  using device = await openDevice();
  const net = new SmallNet(device);
  const losses: number[] = [];
  const run = async (until: number) => {
    while (losses.length < until) losses.push(await net.step(4, losses.length).loss);
  };
  await run(10);
  const tenth = held(device);
  await run(200);
  const { bindGroups } = device.kernels.cached;
  await run(1000);
  expect(held(device)).toEqual(tenth);
  expect(tenth.scopes).toBe(0);
  expect(device.kernels.cached.bindGroups).toBe(bindGroups);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  net.dispose();
  expect(device.memoryUse.usedBuffers).toBe(0);
});

test("bind groups are kept for what was used of late, and made once for kernels of one layout", async () => {
  using device = await openDevice();
  const kept = device.scope(() => {
    const many = Array.from({ length: 2500 }, () => Tensor.empty(device, [1]));
    const [x] = many;
    for (const y of many) {
      using _ = relu(y);
      using __ = relu(x!);
    }
    const before = device.kernels.cached.bindGroups;
    // The same buffers under another kernel of the same layout, and again.
    for (let i = 0; i < 3; i++) {
      using _ = relu(x!);
      using __ = sigmoid(x!);
    }
    return { before, after: device.kernels.cached.bindGroups };
  });
  await device.finish();
  expect(kept.before).toBeGreaterThan(1000);
  expect(kept.before).toBeLessThanOrEqual(2048);
  expect(kept.after).toBeLessThanOrEqual(kept.before + 2);
});

describe("what fails leaves nothing", () => {
  test("an exception in nested scopes", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse;
    expect(() =>
      device.scope(() => {
        const x = Tensor.zeros(device, [100]);
        device.scope(() => {
          using y = scale(x, 2);
          device.scope(() => relu(y));
          throw new Error("stop");
        });
      }),
    ).toThrow("stop");
    expect(device.memoryUse).toMatchObject({ usedBytes: before.usedBytes, usedBuffers: before.usedBuffers });
    expect(device.scopes.depth).toBe(0);
  });

  test("a gradient that throws in the middle of backward", async () => {
    const device = await sharedDevice();
    using weight = Tensor.from(device, [1, 2, 3], [3]);
    weight.requiresGradient = true;
    const before = device.memoryUse.usedBytes;
    expect(() =>
      device.scope(() => {
        const y = scale(weight, 2);
        const z = relu(y);
        const total = sum(scale(z, 3));
        z.node = {
          operation: "broken",
          inputs: [y],
          gradient: () => {
            Tensor.zeros(device, [7]);
            throw new Error("no gradient");
          },
        };
        backward(total);
      }),
    ).toThrow("no gradient");
    expect(device.memoryUse.usedBytes).toBe(before);
    expect(weight.gradient).toBeUndefined();
    // The tape works again.
    device.scope(() => backward(sum(scale(weight, 2))));
    expect([...(await weight.gradient!.read())]).toEqual([2, 2, 2]);
  });

  test("a gradient that throws, outside of all scopes", async () => {
    const device = await sharedDevice();
    using weight = Tensor.from(device, [1, 2, 3], [3]);
    weight.requiresGradient = true;
    using y = scale(weight, 2);
    using z = relu(y);
    using total = sum(z);
    y.node = {
      operation: "broken",
      inputs: [weight],
      gradient: () => {
        throw new Error("no gradient");
      },
    };
    const before = device.memoryUse.usedBuffers;
    expect(() => backward(total)).toThrow("no gradient");
    expect(device.memoryUse.usedBuffers).toBe(before);
  });

  test("a gradient of a wrong shape", async () => {
    const device = await sharedDevice();
    using weight = Tensor.from(device, [1, 2, 3], [3]);
    weight.requiresGradient = true;
    const before = device.memoryUse.usedBytes;
    expect(() =>
      device.scope(() => {
        const y = scale(weight, 2);
        y.node = { operation: "broken", inputs: [weight], gradient: () => [Tensor.zeros(device, [4])] };
        backward(sum(y));
      }),
    ).toThrow("broken: gradient [4] for an input [3]");
    expect(device.memoryUse.usedBytes).toBe(before);
  });

  test("`using` in nested scopes, and tensors handed outwards", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse.usedBuffers;
    {
      using outer = device.scope(() => {
        using first = Tensor.from(device, [1, -1], [2]);
        return device.scope(() => {
          using second = scale(first, 3);
          return relu(second);
        });
      });
      expect(device.memoryUse.usedBuffers).toBe(before + 1);
      expect([...(await outer.read())]).toEqual([3, 0]);
    }
    expect(device.memoryUse.usedBuffers).toBe(before);
  });
});

test("read-back buffers of many reads at once are given back but for four", async () => {
  using device = await openDevice();
  const tensors = Array.from({ length: 20 }, (_, i) => Tensor.zeros(device, [2000 * (i + 1)]));
  await Promise.all(tensors.map((tensor) => tensor.read()));
  const readBack = device.memoryReport().owners.find(({ owner }) => owner === "read-back")!;
  expect(readBack.buffers).toBe(4);
  expect(readBack.mostBytes).toBeGreaterThan(readBack.bytes);
});
