import { afterAll, describe, expect, test } from "bun:test";
import type { Device } from "../../engine/device/device.ts";
import { openDevice } from "../../engine/device/open.ts";
import * as engine from "../../engine/index.ts";
import { sharedDevice } from "./device.ts";
import { DispatchCounter, operations } from "./operations.ts";

const device = await sharedDevice();
const other = await openDevice();
afterAll(() => other.close());

/** Exports that take no tensors: what they are given is looked at in their own tests. */
const withoutTensors = new Set([
  "Device",
  "DeviceLostError",
  "GpuError",
  "InspectError",
  "MpiRanks",
  "NoAdapterError",
  "NumericError",
  "OnnxError",
  "OutOfMemoryError",
  "Plan",
  "Profiler",
  "PytorchError",
  "Random",
  "RankError",
  "SafetensorsError",
  "ShapeError",
  "SharedDevice",
  "SolveError",
  "Tensor",
  "UnsupportedError",
  "WeightsError",
  "bindingRoof",
  "checkOperation",
  "constant",
  "cosine",
  "cosineRestarts",
  "cutoutWindows",
  "defineOperation",
  "drawn",
  "exponential",
  "exportOnnx",
  "importOnnx",
  "inspectKernels",
  "isRecording",
  "largestFit",
  "linearWarmup",
  "mark",
  "measureRoofs",
  "memorySummary",
  "memoryTable",
  "microBatches",
  "openDevice",
  "openPytorch",
  "openSafetensors",
  "openWeights",
  "parameter",
  "polynomial",
  "profile",
  "quarterCosine",
  "randomWords",
  "roofsOf",
  "sequential",
  "stepDecay",
  "timeDecay",
  "toFloat32",
  "unpackRgb",
  "withWarmup",
  "withoutGradients",
  "writeSafetensors",
]);

test("every export that takes tensors has a call in the table", () => {
  const exported = Object.keys(engine).filter((name) => !withoutTensors.has(name));
  expect(Object.keys(operations).sort()).toEqual(exported.sort());
});

/** What a call does when its tensor `at` is replaced; the error, and how many dispatches were recorded. */
async function endOf(name: string, at: number, replace: (tensor: engine.Tensor) => unknown) {
  const made: engine.Tensor[] = [];
  const before = new DispatchCounter(device, other);
  let error: unknown;
  try {
    const make = (on: Device, shape: readonly number[], type: engine.DataType = "f32") => {
      const tensor = engine.Tensor.zeros(on, shape, type);
      made.push(tensor);
      return tensor;
    };
    const { operands, call, waits } = operations[name]!;
    const tensors = operands.map(({ shape, type }) => make(device, shape, type));
    const given = tensors.map((tensor, i) => (i === at ? replace(tensor) : tensor)) as engine.Tensor[];
    before.start();
    await (waits ? call(given, device) : device.scope(() => ({ done: call(given, device) })).done);
  } catch (thrown) {
    error = thrown;
  }
  const dispatches = before.count();
  for (const tensor of made) tensor.dispose();
  return { error, dispatches };
}

describe.each(Object.keys(operations))("%s", (name) => {
  const { operands } = operations[name]!;

  test("takes what it should take", async () => {
    const { error } = await endOf(name, -1, (tensor) => tensor);
    expect(error).toBeUndefined();
  });

  test.each(operands.map((_, i) => i))(
    "refuses another type, device, or state of operand %d before it begins",
    async (at) => {
      const { shape, type = "f32", any = false, optional = false, number = false } = operands[at]!;
      const fits = { f32: "u32", f16: "u32", u32: "f32", i32: "f32", u8: "f32" } as const;
      using foreign = engine.Tensor.zeros(other, shape, type);
      const gone = engine.Tensor.zeros(device, shape, type);
      gone.dispose();
      using wrong = engine.Tensor.zeros(device, shape, fits[type]);
      const cases: [unknown, RegExp][] = [
        [gone, /after it was disposed/],
        ...(optional ? [] : number ? [undefined, "3"] : [undefined, 3]).map((given): [unknown, RegExp] => [
          given,
          /must be a tensor|takes/,
        ]),
        ...(any ? [] : ([[wrong, new RegExp(fits[type])]] as [unknown, RegExp][])),
        ...(operands.length > 1 ? ([[foreign, /two devices/]] as [unknown, RegExp][]) : []),
      ];
      for (const [given, message] of cases) {
        const { error, dispatches } = await endOf(name, at, () => given);
        expect(String(error)).toMatch(/^(ShapeError|TypeError|RangeError): /);
        expect(String(error)).not.toMatch(/undefined is not|Cannot read|evaluating/);
        expect(String(error)).toMatch(message);
        expect(dispatches).toBe(0);
      }
    },
  );
});
