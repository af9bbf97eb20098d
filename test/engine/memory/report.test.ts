import { describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { findGpu } from "../../../engine/device/provider.ts";
import { freeHostBytes } from "../../../engine/memory/budget.ts";
import { memorySummary, memoryTable, parseBytes } from "../../../engine/memory/report.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";
import { SmallNet } from "./net.ts";

describe("memory by owner", () => {
  test("sums up to what is held, now and at the peak", async () => {
    using device = await openDevice();
    const net = new SmallNet(device);
    using _data = device.owned("pictures", () => device.owned("data", () => Tensor.zeros(device, [1000])).keep());
    await net.step(16).loss;
    const report = device.memoryReport();
    const sum = (key: "bytes" | "atPeakBytes") =>
      report.owners.filter(({ owner }) => owner !== "read-back").reduce((total, use) => total + use[key], 0);
    expect(sum("bytes")).toBe(report.heldBytes);
    expect(sum("atPeakBytes")).toBe(report.peakBytes);
    const of = (name: string) => report.owners.find(({ owner }) => owner === name)!;
    // 3·3·3·8 weights, 2·8 of the norm, 512·4 + 4 of the classifier; two moments each.
    expect(of("parameters")).toMatchObject({ buffers: 5, bytes: 1024 + 2 * 256 + 8192 + 256 });
    expect(of("optimiser").bytes).toBe(2 * of("parameters").bytes);
    expect(of("statistics")).toMatchObject({ buffers: 2, bytes: 512 });
    expect(of("data")).toMatchObject({ buffers: 1, bytes: 4096 });
    // [16, 8, 8, 8] in f32.
    expect(of("activations: conv2d")).toMatchObject({ bytes: 0, mostBytes: 16 * 64 * 8 * 4 });
    expect(of("gradients")).toMatchObject({ bytes: 0, mostBytes: of("parameters").bytes });
    expect(of("read-back")).toMatchObject({ buffers: 1, bytes: 4096 });
    expect(memorySummary(report)).toMatch(/^\S+ KiB: .*activations \S+ KiB \(.*conv2d 32 KiB/);
    const lines = memoryTable(report).split("\n");
    expect(lines[0]).toMatch(/^owner +now +buffers +at the peak +its own most$/);
    expect(lines.find((line) => line.startsWith("parameters"))).toMatch(
      /^parameters +9.75 KiB +5 +9.75 KiB +9.75 KiB$/,
    );
  });

  test("a new count of the peak starts from what is held", async () => {
    using device = await openDevice();
    Tensor.zeros(device, [10_000]).dispose();
    using _small = Tensor.zeros(device, [100]);
    device.memory.drain();
    device.memory.resetPeak();
    expect(device.memoryReport()).toMatchObject({ heldBytes: 512, peakBytes: 512 });
  });
});

test("the driver's own shortage of memory is an OutOfMemoryError that says who holds what", async () => {
  using device = await openDevice();
  using _x = Tensor.zeros(device, [1000]);
  await findGpu();
  const { globals } = (await import("webgpu")) as unknown as { globals: typeof globalThis };
  const error = new globals.GPUOutOfMemoryError("no memory left");
  device.gpu.dispatchEvent(new globals.GPUUncapturedErrorEvent("uncapturederror", { error }));
  let told: unknown;
  try {
    device.check();
  } catch (thrown) {
    told = thrown;
  }
  expect(told).toBeInstanceOf(OutOfMemoryError);
  expect((told as Error).message).toMatch(/no memory left\); .* in use, at the peak .*other/);
  using y = Tensor.from(device, [1, 2, 3, 4], [4]);
  expect(Array.from(await y.read())).toEqual([1, 2, 3, 4]);
});

describe("what may be used", () => {
  test("on a software adapter a share of the host's memory, else the limit given, else unknown", async () => {
    const device = await sharedDevice();
    if (device.info.isFallbackAdapter) {
      expect(device.memoryBudgetBytes).toBeGreaterThan(0);
      expect(device.memoryBudgetBytes).toBeLessThan(totalmem());
    }
    using limited = await openDevice({ memoryLimitBytes: 12345 });
    expect(limited.memoryBudgetBytes).toBe(12345);
  });

  test("a control group's limit counts, in both versions of control groups", async () => {
    const folder = await mkdtemp(join(tmpdir(), "acutance-groups-"));
    try {
      const unlimited = freeHostBytes(folder);
      expect(unlimited).toBeGreaterThan(2 ** 20);
      await writeFile(join(folder, "memory.max"), "max\n");
      await writeFile(join(folder, "memory.current"), "1000\n");
      expect(freeHostBytes(folder)).toBeGreaterThan(2 ** 20);
      await writeFile(join(folder, "memory.max"), "5000\n");
      expect(freeHostBytes(folder)).toBe(4000);
      await mkdir(join(folder, "memory"));
      await writeFile(join(folder, "memory", "memory.limit_in_bytes"), "3000\n");
      await writeFile(join(folder, "memory", "memory.usage_in_bytes"), "2900\n");
      expect(freeHostBytes(folder)).toBe(100);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("sizes as people write them", () => {
    expect(["4GiB", "512 MiB", "1.5g", "2048", "2048 B", "3K"].map(parseBytes)).toEqual([
      4 * 2 ** 30,
      512 * 2 ** 20,
      1.5 * 2 ** 30,
      2048,
      2048,
      3072,
    ]);
    for (const wrong of ["", "GiB", "-1", "4 GB/s", "0"]) expect(() => parseBytes(wrong)).toThrow("is no size");
  });
});
