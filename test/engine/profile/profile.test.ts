import { describe, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { profileText } from "../../../cli/profile-table.ts";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { specialise } from "../../../engine/kernel/source.ts";
import { nameTensors } from "../../../engine/nn/named.ts";
import { relu } from "../../../engine/ops/activations.ts";
import { addInto } from "../../../engine/ops/add-into.ts";
import { cast } from "../../../engine/ops/cast.ts";
import { linear } from "../../../engine/ops/contraction/matmul.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { profileCsv } from "../../../engine/profile/csv.ts";
import { type Profile, profileSchema } from "../../../engine/profile/profile.ts";
import { Profiler, profile } from "../../../engine/profile/profiler.ts";
import { mark } from "../../../engine/profile/scopes.ts";
import { workgroupBytes } from "../../../engine/profile/workgroup-bytes.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";
import { SmallNet } from "../memory/net.ts";

const device = await sharedDevice();
const withoutRoofs = { roofs: null };

/** Losses and parameters of a small net after some steps, the last ones replays of a plan. */
async function train(on: Device, around: <T>(work: () => Promise<T>) => Promise<T>) {
  const net = new SmallNet(on);
  nameTensors(net.tensors());
  const { x, targets, weights } = net.batch(3);
  const step = () => {
    const loss = net.lossOf({ x, targets, weights });
    backward(loss);
    net.optimiser.step();
    net.optimiser.clearGradients();
    return { loss };
  };
  const losses = await around(async () => {
    const found: number[] = [];
    for (let i = 0; i < 2; i++) found.push(await on.scope(() => ({ loss: step().loss.item() })).loss);
    using plan = on.trace(step);
    for (let i = 0; i < 3; i++) {
      if (i > 0) net.optimiser.advance();
      if (i > 0) plan.replay();
      found.push(await plan.result.loss.item());
    }
    return found;
  });
  const values = await Promise.all(net.tensors().map(({ tensor }) => tensor.read()));
  for (const tensor of [x, targets, weights]) tensor.dispose();
  net.dispose();
  return { losses, values };
}

/** What is the same of every run: no times. */
function still({ kernels }: Profile) {
  return kernels.map(({ id, op, layer, phase, calls, flops, bytes }) => ({
    id,
    op,
    layer,
    phase,
    calls,
    flops,
    bytes,
  }));
}

async function trained(on: Device) {
  let found: Profile | undefined;
  const run = await train(on, async (work) => {
    const { result, profile: seen } = await profile(on, work, { ...withoutRoofs, command: "five steps" });
    found = seen;
    return result;
  });
  return { ...run, found: profileSchema.parse(JSON.parse(JSON.stringify(found!))) };
}

const plainRun = await train(device, (work) => work());

describe("a profile", () => {
  test("has one row for each kernel, with calls, shapes, operations, bytes and labels", async () => {
    const x = Tensor.from(device, new Float32Array(6 * 8).fill(1), [6, 8]);
    const weight = Tensor.from(device, new Float32Array(8 * 4).fill(1), [8, 4]);
    weight.name = "head.weight";
    const work = async () => {
      const read = device.scope(() => ({ y: relu(linear(x, weight)).read() }));
      return read.y;
    };
    const { result, profile: found } = await profile(device, work, withoutRoofs);
    expect([...result]).toEqual(Array(24).fill(8));
    const rows = found.kernels.map((row) => [row.op, row.layer, row.phase, row.kernel.split("/")[0], row.calls]);
    expect(rows).toEqual([
      ["linear", "head", "forward", "conv", 1],
      ["relu", "after head", "forward", "elementwise", 1],
      ["read-back", "", "other", "read-back", 1],
    ]);
    const [product, activation, copy] = found.kernels as [
      Profile["kernels"][0],
      Profile["kernels"][0],
      Profile["kernels"][0],
    ];
    expect(product.shapes).toEqual({ x: "[6, 8] f32", weight: "[8, 4] f32", out: "[6, 4] f32" });
    expect(product.flops).toBe(2 * 6 * 8 * 4);
    expect(product.bytes).toBe(4 * (48 + 32 + 24));
    expect(product.intensity).toBe(384 / 416);
    expect(product.variant).not.toBe("");
    // y alone is written, x alone read.
    expect(activation.bytes).toBe(4 * (24 + 24));
    expect(activation.grid).toEqual([1, 1, 1]);
    expect(activation.workgroup).toEqual([64, 1, 1]);
    expect(found.sources[activation.source]).toContain("@compute");
    expect(copy.bytes).toBe(2 * 96);
    expect(found.events.map(({ kernel }) => kernel)).toEqual([0, 1, 2]);
    for (const tensor of [x, weight]) tensor.dispose();
  });

  test("counts what a kernel reads and writes twice, and f16 as half", async () => {
    const [a, b] = [Tensor.zeros(device, [64]), Tensor.zeros(device, [64])];
    const half = device.features.has("shader-f16");
    const work = () =>
      device.scope(() => {
        addInto(a, b);
        if (half) relu(cast(a, "f16"));
      });
    const { profile: found } = await profile(device, work, withoutRoofs);
    const bytes = (kernel: string) => found.kernels.filter((row) => row.kernel === kernel).map((row) => row.bytes);
    expect(bytes("elementwise/accumulate")).toEqual([3 * 256]);
    if (half) {
      const row = found.kernels.find(({ op }) => op === "relu")!;
      expect(row.bytes).toBe(2 * 128);
      expect(row.halves).toEqual(["x", "y"]);
      expect(row.shapes["x"]).toBe("[64] f16");
    }
    for (const tensor of [a, b]) tensor.dispose();
  });

  test("knows the workgroup memory of a tile", () => {
    const tile = {
      THREADS: 256,
      THREADS_X: 16,
      THREADS_Y: 16,
      ROWS: 8,
      COLUMNS: 2,
      DEPTH: 4,
      COPIES: 1,
      X_LOADS: 2,
      WEIGHT_LOADS: 2,
    };
    const epilogue = { BIAS: false, NORM: false, ACTIVATION: "none", SCATTER: false };
    // 128 rows of 4 vec4s, and 16 channels of 32 vec4 columns
    expect(workgroupBytes(specialise("conv/shared_tile", { ...tile, ...epilogue }))).toBe(16 * (128 * 4 + 16 * 32));
    expect(workgroupBytes(specialise("elementwise/unary", { OP: "relu", GRADIENT: false, WORKGROUP: 64 }))).toBe(0);
  });

  test("leaves the bits as they are, names replayed kernels as recorded ones, and goes without a trace", async () => {
    const before = device.memoryUse;
    const { losses, values, found } = await trained(device);
    expect(losses).toEqual(plainRun.losses);
    expect(values).toEqual(plainRun.values);
    expect(device.stream.observer).toBeUndefined();
    expect(device.memoryUse.usedBytes).toBe(before.usedBytes);

    // Four recorded or replayed… all five steps do the same: each row of a step has a multiple of five calls.
    const inStep = found.kernels.filter(({ phase }) => ["forward", "backward", "optimiser"].includes(phase));
    expect(inStep.length).toBeGreaterThan(20);
    expect(inStep.filter(({ calls }) => calls % 5 !== 0)).toEqual([]);
    const layers = (phase: string, op: string) =>
      new Set(inStep.filter((row) => row.phase === phase && row.op === op).map(({ layer }) => layer));
    expect(layers("forward", "conv2d")).toEqual(new Set(["0"]));
    expect(layers("backward", "conv2d")).toEqual(new Set(["0"]));
    expect(layers("forward", "batchNorm")).toEqual(new Set(["1"]));
    expect(layers("backward", "linear")).toEqual(new Set(["2"]));
    expect(new Set(inStep.filter(({ phase }) => phase === "optimiser").map(({ op }) => op))).toEqual(new Set(["adam"]));

    const { span, kernels, memory, events } = found;
    const total = kernels.reduce((ms, row) => ms + row.milliseconds.total, 0);
    expect(total).toBeCloseTo(span.busyMs, 6);
    expect(kernels.reduce((share, row) => share + row.share, 0)).toBeCloseTo(1, 6);
    expect(span.busyMs + span.idleMs).toBeCloseTo(span.gpuMs, 3);
    expect(span.gpuMs).toBeLessThan(span.wallMs);
    expect(span.dispatches).toBe(kernels.reduce((calls, row) => calls + row.calls, 0));
    expect(events).toHaveLength(span.dispatches);
    // One after the other, and none before it was recorded (by the accuracy of the two clocks).
    for (const [i, event] of events.entries()) {
      expect(event.startMs).toBeGreaterThan(event.recordedMs - 1);
      if (i > 0)
        expect(event.startMs).toBeGreaterThanOrEqual(events[i - 1]!.startMs + events[i - 1]!.durationMs - 1e-3);
    }
    expect(memory.owners.reduce((bytes, { atPeakBytes }) => bytes + atPeakBytes, 0)).toBe(memory.peakBytes);
    expect(memory.timeline.length).toBeGreaterThan(1);
    expect(found.overhead.microsecondsPerDispatch).toBeGreaterThanOrEqual(0);
    if (device.isSoftware) expect(found.marks).toContain("software-adapter");
  }, 30_000);

  test("counts the same where timestamps are missing, by the host's clock, and says so", async () => {
    const { gpu } = device;
    using without = await openDevice({ withoutFeatures: ["timestamp-query"] });
    expect(without.gpu).not.toBe(gpu);
    const { losses, values, found } = await trained(without);
    expect(losses).toEqual(plainRun.losses);
    expect(values).toEqual(plainRun.values);
    expect(found.clock.source).toBe("wall");
    expect(found.marks).toContain("wall-clock");
    expect(found.marks).toContain("cold-pipeline");
    expect(found.overhead.microsecondsPerDispatch).toBeNull();
    expect(found.span.submits).toBeGreaterThanOrEqual(found.span.dispatches);
    expect(found.kernels.every(({ milliseconds }) => milliseconds.least > 0)).toBe(true);
    const { found: stamped } = await trained(device);
    expect(still(found)).toEqual(still(stamped));
  }, 30_000);

  test("is read from more query sets than one, and lists as many events as were asked for", async () => {
    const x = Tensor.zeros(device, [64]);
    const work = () =>
      device.scope(() => {
        for (let i = 0; i < 5000; i++) relu(x).dispose();
      });
    const { profile: found } = await profile(device, work, { ...withoutRoofs, eventLimit: 10 });
    expect(found.span.dispatches).toBe(5000);
    expect(found.kernels).toHaveLength(1);
    expect(found.kernels[0]!.calls).toBe(5000);
    expect(found.events).toHaveLength(10);
    expect(found.eventsLeftOut).toBe(4990);
    x.dispose();
  });

  test("ends with the work that throws, and does not run within another", async () => {
    const profiler = await Profiler.start(device);
    await expect(profile(device, () => {})).rejects.toThrow("being profiled already");
    await profiler.stop(withoutRoofs);
    const failing = profile(device, () => {
      throw new RangeError("no such thing");
    });
    await expect(failing).rejects.toThrow("no such thing");
    expect(device.stream.observer).toBeUndefined();
    using x = Tensor.from(device, [1, 2], [2]);
    expect(await sum(x).item()).toBe(3);
  });

  test("outlives the device's close", async () => {
    const own = await openDevice();
    const profiler = await Profiler.start(own);
    relu(Tensor.from(own, [1, -2], [2]));
    own.close();
    const found = await profiler.stop(withoutRoofs);
    expect(found.kernels.map(({ op }) => op)).toEqual(["relu"]);
    expect(() => Tensor.zeros(own, [1])).toThrow("closed");
  });

  test("is a table with rows for idle and host time, CSV, and JSON by its published schema", async () => {
    const { found } = await trained(device);
    const options = { sort: "total", top: 5 } as const;
    const text = profileText(found, options);
    for (const part of ["adapter idle", "host: recording", "by phase", "by op", "by layer", "five steps", "and "])
      expect(text).toContain(part);
    expect(profileText(found, { ...options, filter: "adam" })).toMatch(/^adam /m);
    // What a kernel writes, not its last argument, which is the bias here.
    expect(profileText(found, { ...options, filter: "forward 2" })).toMatch(/^linear .* \[3x512\] → \[3x4\] /m);

    const rows = parse(profileCsv(found, { sort: "total" }), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(found.kernels.length);
    const [first] = found.kernels.toSorted((a, b) => b.milliseconds.total - a.milliseconds.total);
    expect(Number(rows[0]!["total_ms"])).toBe(first!.milliseconds.total);
    expect(JSON.parse(rows[0]!["constants"]!)).toEqual(first!.constants);
    expect(z.toJSONSchema(profileSchema)).toHaveProperty("properties.kernels.items.properties.roof");
  });
});

describe("beside the engine's own work", () => {
  test("raw dispatches are counted and noted, the engine's are not among them", async () => {
    const { gpu } = device;
    const module = gpu.createShaderModule({ code: "@compute @workgroup_size(1) fn main() {}" });
    const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module } });
    const raw = (times: number) => {
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      for (let i = 0; i < times; i++) pass.dispatchWorkgroups(1);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
    };
    using x = Tensor.from(device, new Float32Array([1, -2]), [2]);
    const { profile: seen } = await profile(device, () => device.scope(() => ({ y: relu(x).read() })).y, withoutRoofs);
    expect(seen.span.rawDispatches).toBeUndefined();
    expect(seen.marks).not.toContain("raw-dispatches");
    const both = await profile(
      device,
      () => {
        raw(5);
        return device.scope(() => ({ y: relu(x).read() })).y;
      },
      withoutRoofs,
    );
    expect([...both.result]).toEqual([1, 0]);
    expect(both.profile.span).toMatchObject({ rawDispatches: 5, dispatches: seen.span.dispatches });
    expect(both.profile.marks).toContain("raw-dispatches");
    expect(profileText(both.profile, { sort: "total", top: 5 })).toContain("raw WebGPU calls");
    // Afterwards the device is as it was.
    expect(Object.hasOwn(gpu, "createCommandEncoder")).toBe(false);
  });

  test("marks name work, inside of one another and through waits", async () => {
    using x = Tensor.from(device, new Float32Array([1, -2]), [2]);
    const work = () => device.scope(() => ({ y: relu(x).read() })).y;
    const { profile: found } = await profile(
      device,
      () =>
        mark("outer", async () => {
          await work();
          await mark("inner", work);
          await Promise.resolve();
          return work();
        }),
      withoutRoofs,
    );
    const rows = found.kernels.filter(({ op }) => op === "relu");
    expect(rows.map(({ scope, calls }) => [scope, calls])).toEqual([
      ["outer", 2],
      ["outer/inner", 1],
    ]);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(2);
    expect(() => mark(3 as never, work)).toThrow("the name is a text");
  });

  test("the result tells itself as a page, a trace and CSV", async () => {
    using x = Tensor.from(device, new Float32Array([1, -2]), [2]);
    const told = await profile(device, () => device.scope(() => ({ y: relu(x).read() })).y, {
      ...withoutRoofs,
      command: "one <relu>",
    });
    expect(told.toHtml()).toContain("one &lt;relu&gt;");
    expect(JSON.parse(told.toTrace()).traceEvents.some(({ name }: { name: string }) => name === "relu")).toBe(true);
    const rows = parse(told.toCsv(), { columns: true }) as { op: string; id: string }[];
    expect(rows.map(({ id }) => id).sort()).toEqual(told.profile.kernels.map(({ id }) => id).sort());
  });
});
