import type { Device } from "../../device/device.ts";
import { type MatrixUnit, unitName } from "../../device/matrix-units.ts";
import { Random } from "../../random.ts";
import { type DataType, sizeOf, Tensor } from "../../tensor.ts";
import { cast } from "../cast.ts";
import { type Contraction, type Epilogue, runContraction } from "./contract.ts";
import { matrixTiles } from "./matrix-tiles.ts";
import type { Tile } from "./tile.ts";
import { contractionTiles } from "./tiles.ts";

const product: Contraction = {
  images: 150,
  grid: [1, 1],
  input: [1, 1],
  channels: 76,
  columns: 140,
  taps: [1, 1],
  stride: [1, 1],
  step: [1, 1],
  offset: [0, 0],
  kernelStart: [0, 0],
  kernelStep: [1, 1],
  kernelWidth: 1,
};

/** Contractions of odd extents that reach over the edges of every tile: a product, a convolution, an input gradient. */
const forms: readonly { name: string; shape: Contraction; bias?: boolean }[] = [
  { name: "a product 150x76x140", shape: product, bias: true },
  {
    name: "a convolution 3x3",
    shape: {
      ...product,
      images: 3,
      grid: [9, 7],
      input: [9, 14],
      channels: 20,
      columns: 36,
      taps: [3, 3],
      stride: [1, 2],
      offset: [-1, -1],
      kernelWidth: 3,
    },
  },
  {
    name: "an input gradient with stride 2",
    shape: {
      ...product,
      images: 2,
      grid: [5, 6],
      input: [5, 6],
      channels: 36,
      columns: 20,
      taps: [2, 1],
      step: [-1, -1],
      kernelStep: [2, 2],
      kernelWidth: 3,
      scatter: { output: [9, 11], stride: [2, 2], start: [0, 0] },
    },
  },
];

/**
 * Error allowed relative to the largest element: both results are rounded to f16, 4.9e-4 each, and sums of f16 lose as much at
 * every addition.
 */
const tolerance = { f32: 2e-3, f16: 3e-2 } as const;

/**
 * Runs tiles with subgroup matrices on small contractions and compares them with the plain kernel. Throws what the device
 * throws, e.g. when it refuses a kernel.
 * @returns what is wrong, or undefined
 */
export async function matrixFault(
  device: Device,
  unit: MatrixUnit,
  tilesOf = (types: readonly [DataType, DataType]) =>
    matrixTiles(device, unit, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, types),
): Promise<string | undefined> {
  const half = device.features.has("shader-f16");
  const types: (readonly [DataType, DataType])[] = [
    ...(half
      ? ([
          ["f16", "f16"],
          ["f16", "f32"],
        ] as const)
      : []),
    ...(unit.component === "f32" ? ([["f32", "f32"]] as const) : []),
  ];
  if (types.length === 0) return "the device has no f16";
  for (const pair of types) {
    const tiles = tilesOf(pair);
    if (tiles.length === 0) return "no tile of matrices fits the adapter's workgroup memory and invocations";
    for (const form of forms) {
      for (const tile of tiles) {
        const error = await difference(device, tile, form, pair);
        if (!(error <= tolerance[unit.sum])) {
          return `${form.name} (${pair.join(" by ")}) on ${tile.name} differs from the plain kernel by ${error.toPrecision(2)} of its largest element`;
        }
      }
    }
  }
  return undefined;
}

/** Largest difference from the plain kernel, relative to its largest element. */
async function difference(
  device: Device,
  tile: Tile,
  { shape, bias }: (typeof forms)[number],
  [xType, weightType]: readonly [DataType, DataType],
): Promise<number> {
  const rows = shape.images * shape.grid[0] * shape.grid[1];
  const reads = device.scope(() => {
    const x = noise(device, [shape.images, ...shape.input, shape.channels], xType);
    const height = shape.kernelStart[0] + (shape.taps[0] - 1) * shape.kernelStep[0] + 1;
    const weight = noise(device, [height, shape.kernelWidth, shape.channels, shape.columns], weightType);
    const epilogue: Epilogue = bias ? { bias: noise(device, [shape.columns], "f32"), activation: "relu" } : {};
    const output = [shape.images, ...(shape.scatter?.output ?? shape.grid), shape.columns];
    return [contractionTiles(device, rows, shape.columns / 4)[0]!, tile].map((way) => {
      const out = Tensor.zeros(device, output, xType);
      runContraction(way, x, weight, out, shape, epilogue);
      return { read: cast(out, "f32").read() };
    });
  });
  const [expected, found] = await Promise.all(reads.map(({ read }) => read));
  let [largest, error] = [0, 0];
  for (const [i, value] of expected!.entries()) {
    largest = Math.max(largest, Math.abs(value));
    error = Math.max(error, Math.abs(found![i]! - value));
  }
  return error / largest;
}

/** Numbers in [−0.5, 0.5) that f16 can hold, stored as `dtype`. */
function noise(device: Device, shape: readonly number[], dtype: DataType): Tensor {
  const random = new Random(1, `subgroup matrices ${shape.join("x")}`);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => (random.word() % 1024) / 1024 - 0.5);
  return cast(Tensor.from(device, data, shape), dtype as "f32" | "f16");
}

/**
 * Opens a device with the subgroup matrices that `open` finds on the adapter, and checks them. A unit that gives wrong
 * numbers, or whose kernels the device refuses or dies of, is left out and told as a note; its device is not used again.
 * @param open opens a device with these units, or at first with all that the adapter lists
 */
export async function openChecked(
  open: (units?: readonly MatrixUnit[]) => Promise<Device>,
  onNote: (note: string) => void,
): Promise<Device> {
  let device = await open().catch((error: unknown) => {
    onNote(`a device with subgroup matrices could not be opened: ${error}`);
    return open([]);
  });
  if (device.matrixUnits.length === 0) {
    onNote("this adapter offers no subgroup matrices that could be used; plain kernels run instead");
  }
  for (const unit of device.matrixUnits) {
    const fault = await matrixFault(device, unit).catch((error: unknown) => String(error));
    if (fault === undefined) continue;
    onNote(`subgroup matrices ${unitName(unit)} are not used: ${fault}`);
    const others = device.matrixUnits.filter((other) => other !== unit);
    device.close();
    device = await open(others);
  }
  device.memory.drain();
  device.memory.resetPeak();
  return device;
}
