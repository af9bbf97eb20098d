import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "../../../engine/device/open.ts";
import { findGpu } from "../../../engine/device/provider.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { summarise, timesOf } from "../../../engine/tune/measured.ts";
import { measureRoofs, type Roofs, roofsOf, roofsSchema } from "../../../engine/tune/roofs.ts";
import { BareKernel } from "../../../engine/tune/stopwatch.ts";
import { expectResult, Workbench } from "../../../engine/tune/workbench.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const shared = await sharedDevice();
const quick = { runs: 3, leastMs: 0.5, sizes: [2 ** 14, 2 ** 18] };

/** Every measured quantity with the path to it. */
function quantities(value: unknown, path = ""): [string, { median: number; least: number; most: number }][] {
  if (typeof value !== "object" || value === null) return [];
  if ("median" in value) return [[path, value as never]];
  return Object.entries(value).flatMap(([name, inner]) => quantities(inner, `${path}.${name}`));
}

function expectPlausible(roofs: Roofs): void {
  expect(roofsSchema.parse(roofs)).toEqual(roofs);
  for (const [path, { median, least, most }] of quantities(roofs)) {
    // From a hundredth of a microsecond or GB/s to a PFLOP/s: units that are wrong by a power of 1000 stand out.
    expect([path, least >= 0.001 && most <= 1e6]).toEqual([path, true]);
    expect([path, least <= median && median <= most]).toEqual([path, true]);
  }
}

describe("measured on the adapter at hand", () => {
  test("all roofs are there, positive and of their units; the device is left as it was", async () => {
    const device = shared;
    const before = device.memoryUse;
    const steps: (string | undefined)[] = [];
    const roofs = await measureRoofs(device, {
      ...quick,
      progress: (done, total, next) => {
        expect(done).toBe(steps.length);
        expect(next === undefined).toBe(done === total);
        steps.push(next);
      },
    });
    expectPlausible(roofs);
    expect(new Set(steps).size).toBe(steps.length);
    expect(roofs.f16FmaGflops !== null).toBe(device.features.has("shader-f16"));
    expect(roofs.copyGBps.map(({ bytes }) => bytes)).toEqual([2 ** 15, 2 ** 19]);
    expect(roofs.readGBps.map(({ bytes }) => bytes)).toEqual([2 ** 14, 2 ** 18]);
    expect(roofs.fmaGflops.runs).toBe(3);
    expect(device.memoryUse).toEqual(before);
    using ones = Tensor.from(device, new Float32Array(100).fill(1), [100]);
    using total = sum(ones);
    expect(await total.item()).toBe(100);
  });

  test("without features and with small bindings", async () => {
    const plain = await plainDevice();
    const roofs = await measureRoofs(plain, quick);
    expectPlausible(roofs);
    expect(roofs.f16FmaGflops).toBeNull();
    // The smallest size, or the binding where that holds less; read and written.
    expect(roofs.copyGBps.map(({ bytes }) => bytes)).toEqual([2 * Math.min(2 ** 14, plain.maximumBindingBytes)]);
  });

  test("by the host's clock where there are no timestamps", async () => {
    using device = await openDevice({ withoutFeatures: ["timestamp-query"] });
    using bench = await Workbench.open(device, 2 ** 14);
    expect(bench.watch.clock).toEqual({ source: "wall", stepNanoseconds: 0 });
    expect(await bench.watch.pass((pass) => bench.count(pass))).toBeGreaterThan(0);
  });

  const quantisable = shared.info.provider === "webgpu" && shared.features.has("timestamp-query");
  test.skipIf(!quantisable)("timestamps that the provider quantises are recognised", async () => {
    const { gpu } = await findGpu({ toggles: { enable: ["timestamp_quantization"] } });
    using device = await openDevice({ gpu });
    using bench = await Workbench.open(device, 2 ** 14);
    const { source, stepNanoseconds } = bench.watch.clock;
    expect(source).toBe("timestamp");
    expect(stepNanoseconds).toBeGreaterThan(0);
    expect(stepNanoseconds % 65536).toBe(0);
    expect(bench.effort.leastMs).toBeGreaterThanOrEqual(6.5536);
  });

  test("sizes that are no powers of two are refused", async () => {
    const device = shared;
    for (const size of [3000, 512, 0, Number.NaN]) {
      await expect(measureRoofs(device, { sizes: [size] })).rejects.toThrow(`got ${size}`);
    }
  });

  test("a kernel that computes something wrong is an error", async () => {
    const device = shared;
    using bench = await Workbench.open(device, 2 ** 14);
    bench.clear(4);
    await bench.watch.pass((pass) => {
      for (let i = 0; i < 70; i++) bench.count(pass);
    });
    const found = new Uint32Array((await bench.results(1)).buffer)[0]!;
    expectResult("the count", found, 70);
    expect(() => expectResult("the count", found, 71)).toThrow("the count gave 70 instead of 71");
    expect(() => new BareKernel(device, "roof/count", {}).bind({})).toThrow('no argument for "y"');
  });
});

describe("repeated work", () => {
  test("is repeated until it lasts long enough, then timed by one time", async () => {
    const asked: number[] = [];
    const run = async (n: number) => {
      asked.push(n);
      return n * 0.5;
    };
    expect(await timesOf({ run, most: 1000 }, { leastMs: 10, runs: 3 })).toEqual([0.5, 0.5, 0.5]);
    expect(asked).toEqual([1, 1, 25, 25, 25]);
  });

  test("stops growing at its most, and grows though the clock stood still", async () => {
    const asked: number[] = [];
    const run = async (n: number) => {
      asked.push(n);
      return n < 10 ? 0 : 0.25;
    };
    expect(await timesOf({ run, start: 2, most: 50 }, { leastMs: 10, runs: 1 })).toEqual([0.005]);
    expect(asked).toEqual([2, 2, 50]);
    await expect(timesOf({ run: async () => 0, most: 4 }, { leastMs: 1, runs: 1 })).rejects.toThrow(
      "took 0 ms: the clock stands still",
    );
  });

  test("is summed up by median and extremes", () => {
    expect(summarise([3, 1, 2], "best")).toEqual({ median: 2, least: 1, most: 3, runs: 3, note: "best" });
    expect(summarise([4, 1])).toEqual({ median: 4, least: 1, most: 4, runs: 2 });
  });
});

describe("the cache of roofs", () => {
  const folder = mkdtempSync(join(tmpdir(), "acutance-roofs-"));
  const before = process.env["ACUTANCE_CACHE"];
  beforeAll(() => {
    process.env["ACUTANCE_CACHE"] = folder;
  });
  afterAll(() => {
    if (before === undefined) delete process.env["ACUTANCE_CACHE"];
    else process.env["ACUTANCE_CACHE"] = before;
    rmSync(folder, { recursive: true });
  });

  test("saves measuring again until that is asked for or the file is broken", async () => {
    const device = await plainDevice();
    const notes: string[] = [];
    let measured = 0;
    const roofs = (remeasure = false) =>
      roofsOf(device, {
        ...quick,
        remeasure,
        onNote: (note) => notes.push(note),
        progress: (done) => {
          if (done === 0) measured++;
        },
      });
    const first = await roofs();
    expect(await roofs()).toEqual(first);
    expect(measured).toBe(1);
    const again = await roofs(true);
    expect(measured).toBe(2);
    expect(await roofs()).toEqual(again);

    const [file] = readdirSync(join(folder, "roofs"));
    writeFileSync(join(folder, "roofs", file!), "{}");
    expect(notes).toEqual([]);
    await roofs();
    expect(measured).toBe(3);
    expect(notes).toHaveLength(1);
    await roofs();
    expect(measured).toBe(3);
    expect(readdirSync(join(folder, "roofs"))).toEqual([file!]);
  });
});
