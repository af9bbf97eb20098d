import { describe, expect, test } from "bun:test";
import { Device } from "../../../../engine/device/device.ts";
import {
  type MatrixConfig,
  type MatrixUnit,
  matrixUnits,
  wantedMatrices,
} from "../../../../engine/device/matrix-units.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { findGpu } from "../../../../engine/device/provider.ts";
import { specialise } from "../../../../engine/kernel/source.ts";
import { cast } from "../../../../engine/ops/cast.ts";
import { conv2d } from "../../../../engine/ops/contraction/conv.ts";
import { convNorm } from "../../../../engine/ops/contraction/conv-norm.ts";
import { linear, matmul } from "../../../../engine/ops/contraction/matmul.ts";
import { matrixFault, openChecked } from "../../../../engine/ops/contraction/matrix-check.ts";
import { matrixTiles, matrixUnitFor } from "../../../../engine/ops/contraction/matrix-tiles.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkGolden, formula, type GoldenCase, goldenCases, relativeError } from "../../check.ts";
import { sharedDevice } from "../../device.ts";

function config(componentType: string, resultComponentType: string, M: number, N = M, K = M): MatrixConfig {
  return { componentType, resultComponentType, M, N, K };
}

const plain = await sharedDevice();
const half = plain.features.has("shader-f16");
const notes: string[] = [];
const onNote = (note: string) => notes.push(note);

/** Matrices in loops, of f16 where the adapter has it. */
const dtype = half ? "f16" : "f32";
const emulated = [config(dtype, "f32", 8, 16, 16)];
const device: Device = await openDevice({ subgroupMatrices: { emulated }, onNote });

describe("products and convolutions on emulated subgroup matrices", () => {
  test("the device was opened with them, after their check", () => {
    expect(notes).toEqual([]);
    expect(device.matrixUnits.map(({ component }) => component)).toEqual([dtype]);
  });

  const golden = goldenCases("core").filter(({ operation }) => ["conv2d", "linear", "matmul"].includes(operation));
  const runner =
    ({ operation, options }: GoldenCase) =>
    ([x, weight, bias]: Tensor[]) =>
      operation === "conv2d" ? conv2d(x!, weight!, { ...options, bias }) : linear(x!, weight!, bias);
  for (const given of golden) {
    const shapes = given.inputs.map((input) => `[${input.shape}]`).join(" ");
    test(`${given.operation} ${shapes} ${JSON.stringify(given.options)}: golden values, forward and backward`, () =>
      checkGolden(device, given, runner(given)));
  }

  const tensor = (on: Device, shape: number[], seed: number) => Tensor.from(on, formula({ shape, seed }), shape);
  /** Large enough that every contraction and its input gradient run on matrices and reach over several tiles. */
  const forms: [string, (on: Device, stored: (x: Tensor) => Tensor) => Tensor][] = [
    ["matmul 150x70x101", (on, s) => matmul(s(tensor(on, [150, 70], 1)), s(tensor(on, [70, 101], 2)))],
    [
      "linear with bias, weight in f32",
      (on, s) => linear(s(tensor(on, [33, 40], 1)), tensor(on, [40, 36], 2), tensor(on, [36], 3)),
    ],
    [
      "conv 3x3 with stride 2",
      (on, s) => conv2d(s(tensor(on, [3, 11, 13, 20], 1)), s(tensor(on, [3, 3, 20, 36], 2)), { stride: 2, padding: 1 }),
    ],
    [
      "conv 1x1, batch norm, ReLU",
      (on, s) => {
        const of = (seed: number) => tensor(on, [36], seed);
        const variance = Tensor.from(on, formula({ shape: [36], seed: 6, scale: 0.5, shift: 1 }), [36]);
        return convNorm(
          s(tensor(on, [2, 9, 11, 20], 1)),
          tensor(on, [1, 1, 20, 36], 2),
          { scale: of(3), shift: of(4), runningMean: of(5), runningVariance: variance },
          { training: false, activation: "relu" },
        );
      },
    ],
  ];
  for (const [name, run] of forms) {
    test(`${name}, ${dtype}: as the plain kernel`, async () => {
      const values = (on: Device) =>
        on.scope(() => ({
          read: cast(
            run(on, (x) => cast(x, dtype)),
            "f32",
          ).read(),
        })).read;
      const expected = await values(plain);
      const found = await values(device);
      expect(relativeError(found, [...expected])).toBeLessThan(dtype === "f16" ? 2e-3 : 1e-5);
    });
  }

  test("all tiles of a unit give the same bits", async () => {
    const run = async () =>
      Array.from(await device.scope(() => ({ read: forms[0]![1](device, (x) => cast(x, dtype)).read() })).read);
    const expected = await run();
    const tried: string[] = [];
    await device.tuner.tune({ budgetMs: 60_000, onTuned: ({ times }) => tried.push(...times.map(({ way }) => way)) });
    const keys = [...device.tuner.choices.keys()].filter((key) => key.includes("emulated"));
    expect(new Set(tried).size).toBeGreaterThan(1);
    for (const way of new Set(tried)) {
      device.tuner.restore(keys.map((key) => [key, way]));
      expect(await run()).toEqual(expected);
    }
  });

  test("f32 tensors are not rounded to f16, and what is smaller than a matrix stays plain", () => {
    expect(matrixUnitFor(device, "f32", 64, 64, 64)?.component).toBe(half ? undefined : "f32");
    expect(matrixUnitFor(device, "f16", 64, 64, 64)?.component).toBe(dtype);
    for (const [rows, columns, channels] of [
      [7, 64, 64],
      [64, 8, 64],
      [64, 64, 12],
    ] as const) {
      expect(matrixUnitFor(device, dtype, rows, columns, channels)).toBeUndefined();
    }
    expect(matrixUnitFor(plain, dtype, 64, 64, 64)).toBeUndefined();
  });
});

describe("the check before subgroup matrices are used", () => {
  const unit = device.matrixUnits.at(-1)!;
  const last = (change: (constants: Record<string, number>) => Record<string, number>) =>
    matrixFault(device, unit, (types) =>
      matrixTiles(device, unit, 16, 8, types)
        .slice(-1)
        .map((tile) => ({ ...tile, constants: { ...tile.constants, ...change(tile.constants as never) } })),
    );

  test("finds a kernel that does not bring in x", async () => {
    expect(await last(() => ({ X_LOADS: 0 }))).toMatch(/^a product .* differs from the plain kernel by/);
  });

  test("finds a kernel that does not bring in all of the weight", async () => {
    expect(await last(({ WEIGHT_LOADS }) => ({ WEIGHT_LOADS: WEIGHT_LOADS! - 1 }))).toMatch(/differs/);
  });

  test("finds a tile that makes fewer rows than it says", async () => {
    const short = (types: Parameters<NonNullable<Parameters<typeof matrixFault>[2]>>[0]) =>
      matrixTiles(device, unit, 16, 8, types)
        .slice(-1)
        .map((tile) => ({ ...tile, rows: 2 * tile.rows }));
    expect(await matrixFault(device, unit, short)).toMatch(/differs/);
  });

  test("a unit that the device refuses is told and left out, and the device works", async () => {
    const told: string[] = [];
    // Sums of a type that does not exist: the kernel does not compile.
    const broken = { ...unit, sum: "f31" as "f32" };
    const open = async (units: readonly MatrixUnit[] = [broken]) => {
      const adapter = (await (await findGpu()).gpu.requestAdapter())!;
      const requiredFeatures: GPUFeatureName[] = half ? ["shader-f16"] : [];
      return new Device(await adapter.requestDevice({ requiredFeatures }), plain.info, plain.subgroups, {}, units);
    };
    using opened = await openChecked(open, (note) => told.push(note));
    expect(opened.matrixUnits).toEqual([]);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^subgroup matrices .* are not used: /);
    const read = opened.scope(() => ({ read: matmul(tensorOf(opened, [2, 3]), tensorOf(opened, [3, 2])).read() }));
    expect(Array.from(await read.read)).toHaveLength(4);
  });

  const tensorOf = (on: Device, shape: number[]) => Tensor.from(on, formula({ shape, seed: 1 }), shape);

  test("an adapter without them is told, and plain kernels run", async () => {
    if (plain.gpu.features.has("chromium-experimental-subgroup-matrix")) return;
    const told: string[] = [];
    using opened = await openDevice({ subgroupMatrices: true, onNote: (note) => told.push(note) });
    if (opened.matrixUnits.length > 0) return;
    expect(told).toEqual(["this adapter offers no subgroup matrices that could be used; plain kernels run instead"]);
  });
});

describe("which units are taken", () => {
  const names = (units: readonly MatrixUnit[]) => units.map(({ component, sum, M }) => `${component} ${sum} ${M}`);

  test("f16 with f32 sums, then f32; f16 sums only when asked for", () => {
    const listed = [
      config("f32", "f32", 8),
      config("f16", "f16", 16),
      config("f16", "f32", 16),
      config("i8", "i32", 16),
    ];
    expect(names(matrixUnits(listed, 32, {}, true))).toEqual(["f16 f32 16", "f32 f32 8"]);
    expect(names(matrixUnits(listed, 32, { halfSums: true }, true))).toEqual(["f16 f32 16", "f16 f16 16", "f32 f32 8"]);
    expect(names(matrixUnits(listed, 32, {}, false))).toEqual(["f32 f32 8"]);
  });

  test("of several sizes the first that tiles can be built from", () => {
    const listed = [
      config("f16", "f32", 12),
      config("f16", "f32", 64),
      config("f16", "f32", 8, 16, 16),
      config("f16", "f32", 16),
    ];
    expect(matrixUnits(listed, 32, {}, true)[0]).toMatchObject({ M: 8, N: 16, K: 16, lanes: 32 });
  });

  test("the environment asks where the caller does not", () => {
    expect(wantedMatrices(undefined, "")).toBeUndefined();
    expect(wantedMatrices(undefined, "0")).toBeUndefined();
    expect(wantedMatrices(undefined, "1")).toEqual({});
    expect(wantedMatrices(undefined, "f16")).toEqual({ halfSums: true });
    expect(wantedMatrices(false, "1")).toBeUndefined();
    expect(wantedMatrices(true, "")).toEqual({});
    expect(() => wantedMatrices(undefined, "yes")).toThrow('ACUTANCE_SUBGROUP_MATRICES is "yes"');
  });
});

/** Dawn's null backend runs nothing, but Tint checks what it is given, with the feature that no adapter here has. */
async function nullDevice(): Promise<GPUDevice | undefined> {
  if (plain.info.provider !== "webgpu") return undefined;
  const { gpu } = await findGpu({ provider: "webgpu", backend: "null", toggles: { enable: ["allow_unsafe_apis"] } });
  const adapter = await gpu.requestAdapter();
  if (!adapter?.features.has("chromium-experimental-subgroup-matrix")) return undefined;
  const features = ["chromium-experimental-subgroup-matrix", "subgroups", "shader-f16"];
  return adapter.requestDevice({
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: { maxComputeInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup },
  });
}
const gpu = await nullDevice();

describe("the kernel with real matrix builtins", () => {
  const units = [
    config("f16", "f32", 16),
    config("f16", "f32", 8, 16, 16),
    config("f16", "f32", 16, 8, 8),
    config("f16", "f16", 8),
    config("f32", "f32", 8),
  ].flatMap((each) => matrixUnits([each], 32, { halfSums: true }, true));

  test.skipIf(gpu === undefined)("compiles in Tint for every unit, tile, storage and epilogue", async () => {
    let kernels = 0;
    for (const unit of units) {
      for (const types of [["f16", "f16"], ["f16", "f32"], ...(unit.component === "f32" ? [["f32", "f32"]] : [])]) {
        const limits = { maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024 };
        const tiles = matrixTiles({ gpu: { limits } } as Device, unit, 1e6, 1e6, types as ["f16", "f16"]);
        expect(tiles.length).toBe(4);
        for (const [i, { constants }] of tiles.entries()) {
          const full = { BIAS: true, NORM: true, ACTIVATION: "relu", SCATTER: i % 2 === 0 };
          const halves = ["x", "weight", "out"].filter((_, at) => (at === 1 ? types[1] : types[0]) === "f16");
          // The null adapter has subgroups of up to 128, of which workgroups must be multiples, and little workgroup memory.
          const wide = { ...constants, THREADS: 128, BLOCK_ROWS: 1, BLOCK_COLUMNS: 1, DEPTH: 16 };
          const source = specialise("conv/matrix_tile", { ...wide, ...full }, halves);
          gpu!.pushErrorScope("validation");
          const module = gpu!.createShaderModule({ code: source.wgsl });
          gpu!.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
          const { messages } = await module.getCompilationInfo();
          expect(messages.map(({ message }) => message)).toEqual([]);
          expect((await gpu!.popErrorScope())?.message).toBeUndefined();
          kernels++;
        }
      }
    }
    expect(kernels).toBeGreaterThan(30);
  });

  test.skipIf(gpu === undefined)("differs from the emulated one in the lines with builtins alone", () => {
    const [unit] = units;
    const limits = { maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024 };
    const { constants } = matrixTiles({ gpu: { limits } } as Device, unit!, 1e6, 1e6, ["f16", "f16"])[0]!;
    const lines = (EMULATED: boolean) => {
      const full = { ...constants, EMULATED, BIAS: true, NORM: false, ACTIVATION: "none", SCATTER: false };
      return specialise("conv/matrix_tile", full)
        .wgsl.replace(/\/\/.*$/gm, "")
        .split("\n")
        .map((line) => line.trim());
    };
    const loops = new Set(lines(true));
    const own = lines(false).filter((line) => !loops.has(line));
    const builtin = /subgroup_?[mM]atrix|enable subgroups|subgroup_id|= Result\(\)|let end = DEPTH/;
    expect(own.filter((line) => !builtin.test(line))).toEqual([]);
    expect(own.length).toBeGreaterThan(5);
  });
});
