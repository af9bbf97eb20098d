import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { DeviceLostError, GpuError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { relu } from "../../../engine/ops/activations.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { PictureStore } from "../../../models/data/index.ts";
import { blurredPictures } from "../../models/training/pictures.ts";

/** What a promise or call ended with, and after how long; "hung" after five seconds. */
async function endOf(work: () => unknown): Promise<{ error: unknown; ms: number }> {
  const start = performance.now();
  const ended = Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (error) => error,
    );
  const error = await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve("hung"), 5000))]);
  return { error, ms: performance.now() - start };
}

function expectLost({ error, ms }: { error: unknown; ms: number }): void {
  expect(error).toBeInstanceOf(DeviceLostError);
  expect(ms).toBeLessThan(1500);
}

/** Records enough work that the device is busy for a while. */
function busy(device: Device): Tensor {
  const weight = Tensor.from(device, new Float32Array(3 * 3 * 32 * 32).fill(0.01), [3, 3, 32, 32]);
  let x = Tensor.from(device, new Float32Array(4 * 64 * 64 * 32).fill(1), [4, 64, 64, 32]);
  for (let i = 0; i < 5; i++) x = conv2d(x, weight, { padding: 1 });
  return x;
}

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeAll(() => {
  process.on("unhandledRejection", note);
});
afterAll(() => {
  process.off("unhandledRejection", note);
});

describe.each([
  ["at once", async (device: Device) => device.gpu.destroy()],
  [
    "after its notice",
    async (device: Device) => {
      device.gpu.destroy();
      await device.gpu.lost;
    },
  ],
])("a lost device, %s", (_, lose) => {
  test("ends pending reads and waits", async () => {
    const device = await openDevice();
    const y = busy(device);
    const waits = [y.read(), y.read(), sum(y).item(), device.finish()].map((wait) => endOf(() => wait));
    await lose(device);
    for (const end of await Promise.all(waits)) expectLost(end);
  });

  test("refuses what comes later, whatever it is", async () => {
    const device = await openDevice();
    const x = Tensor.from(device, [1, 2, 3, 4], [4]);
    x.requiresGradient = true;
    const loss = sum(relu(x));
    await lose(device);
    // Work that is only recorded may pass until the notice arrives; whatever waits for a result may not.
    expectLost(await endOf(() => x.read()));
    for (const work of [
      () => scale(x, 2),
      () => conv2d(Tensor.zeros(device, [1, 4, 4, 4]), Tensor.zeros(device, [1, 1, 4, 4])),
      () => Tensor.from(device, [1], [1]),
      () => x.write(new Float32Array(4)),
      () => backward(loss),
      () => device.scope(() => relu(x)),
      () => device.finish(),
      () => sum(x).item(),
    ])
      expectLost(await endOf(work));
    x.dispose();
    loss.dispose();
    device.close();
    expectLost(await endOf(() => device.finish()));
  });

  test("ends a walk over pictures; it is no fault of a picture", async () => {
    const folder = await mkdtemp(join(tmpdir(), "acutance-loss-"));
    try {
      const rows = await blurredPictures(folder, 12);
      const device = await openDevice();
      const store = new PictureStore(device, 16, 2, 0);
      const seen: unknown[] = [];
      const walk = async () => {
        for await (const loaded of store.load(rows)) {
          if (seen.push(loaded) === 3) await lose(device);
          if (seen.length > 3) await device.finish();
        }
      };
      expectLost(await endOf(walk));
      for (const loaded of seen) expect(loaded).not.toHaveProperty("error");
      store.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a wait on the device", () => {
  test("ends with the loss even when it would never end, or was rejected before the notice came", async () => {
    const device = await openDevice();
    const waits = [
      device.settled(new Promise(() => {})),
      device.settled(Promise.reject(new DOMException("mapping was aborted", "AbortError"))),
    ].map((wait) => endOf(() => wait));
    setTimeout(() => device.gpu.destroy(), 50);
    for (const end of await Promise.all(waits)) expectLost(end);
  });

  test("ends with its own error while the device lives", async () => {
    using device = await openDevice();
    const { error } = await endOf(() => device.settled(Promise.reject(new RangeError("of its own"))));
    expect(error).toBeInstanceOf(RangeError);
  });

  test("ends when the host closes the device, which is no loss", async () => {
    const device = await openDevice();
    const reading = busy(device).read();
    device.close();
    const { error } = await endOf(() => reading);
    expect(error).toBeInstanceOf(GpuError);
    expect(error).not.toBeInstanceOf(DeviceLostError);
    expect(String(error)).toContain("the device was closed");
  });
});

test("a loss rejects nothing that nobody waits for", async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(unhandled).toEqual([]);
});
