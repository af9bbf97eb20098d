import { expectArgument, expectList, object, text } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { expectOperands } from "../ops/operands.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import type { TensorToStore } from "../weights/safetensors.ts";
import { faultOf, toFloat32, WeightsError, type WeightsFile } from "../weights/stored.ts";

/**
 * How a tensor lies in weight files, which follow PyTorch: convolutions [O, C, KH, KW] where the engine has
 * [KH, KW, C, O], matrices [out, in] where the engine has [in, out], vectors alike.
 */
export type WeightKind = "convolution" | "matrix" | "vector";

/** A tensor of a network under its name in weight files. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
  readonly kind: WeightKind;
  /** `parameter`: learnt by gradients. `statistic`: kept by the layer itself, such as a running mean. */
  readonly role: "parameter" | "statistic";
}

/** @throws TypeError or ShapeError when these are no named tensors of floating-point numbers on one device */
export function expectNamed(operation: string, tensors: readonly NamedTensor[]): void {
  expectList(operation, "the tensors", tensors, object);
  for (const { name } of tensors) expectArgument(operation, "the name of a tensor", name, text);
  expectOperands(operation, Object.fromEntries(tensors.map(({ name, tensor }) => [`"${name}"`, tensor])));
}

/** Anything that owns tensors. */
export interface Layer {
  /** Every tensor of the layer, names starting with `prefix`. */
  tensors(prefix: string): NamedTensor[];
}

/** `a`, `b` → `a.b`; an empty prefix adds no dot. */
export function join(prefix: string, name: string): string {
  return prefix ? `${prefix}.${name}` : name;
}

/** Shape of a tensor as weight files have it. */
export function fileShape({ tensor: { shape }, kind }: NamedTensor): number[] {
  if (kind === "convolution") return [shape[3]!, shape[2]!, shape[0]!, shape[1]!];
  if (kind === "matrix") return [shape[1]!, shape[0]!];
  return [...shape];
}

/** Elements in the order of the engine → in the order of weight files. */
export function toFileOrder(data: Float32Array, { kind, tensor }: NamedTensor): Float32Array<ArrayBuffer> {
  const [rows, columns] = matrixExtents(kind, tensor);
  return kind === "vector" ? Float32Array.from(data) : transposed(data, rows, columns, kind, tensor, true);
}

/** Elements in the order of weight files → in the order of the engine. */
export function fromFileOrder(data: Float32Array, { kind, tensor }: NamedTensor): Float32Array<ArrayBuffer> {
  const [rows, columns] = matrixExtents(kind, tensor);
  return kind === "vector" ? Float32Array.from(data) : transposed(data, rows, columns, kind, tensor, false);
}

function matrixExtents(kind: WeightKind, { shape }: Tensor): [number, number] {
  return kind === "convolution" ? [shape[0]! * shape[1]!, shape[2]! * shape[3]!] : [shape[0] ?? 1, shape[1] ?? 1];
}

const block = 32;

function transposed(
  data: Float32Array,
  rows: number,
  columns: number,
  kind: WeightKind,
  tensor: Tensor,
  toFile: boolean,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  const inner = kind === "convolution" ? tensor.shape[2]! : 1;
  const outer = columns / inner;
  // By squares, since one of the two orders jumps from line to line of the processor's cache.
  for (let r0 = 0; r0 < rows; r0 += block) {
    const rEnd = Math.min(rows, r0 + block);
    for (let o0 = 0; o0 < outer; o0 += block) {
      const oEnd = Math.min(outer, o0 + block);
      for (let r = r0; r < rEnd; r++) {
        for (let c = 0; c < inner; c++) {
          // Engine order (tap r, channel c, column o); file order (column o, channel c, tap r). For a matrix the taps
          // are its rows and there is one channel.
          const engine = (r * inner + c) * outer;
          const file = c * rows + r;
          const step = inner * rows;
          if (toFile) for (let o = o0; o < oEnd; o++) out[file + o * step] = data[engine + o]!;
          else for (let o = o0; o < oEnd; o++) out[engine + o] = data[file + o * step]!;
        }
      }
    }
  }
  return out;
}

/** Reads tensors back from the device, as they are stored. */
export async function storable(tensors: readonly NamedTensor[]): Promise<TensorToStore[]> {
  expectNamed("storable", tensors);
  const reads = tensors.map((named) => named.tensor.read());
  const data = await Promise.all(reads);
  return tensors.map((named, i) => ({
    name: named.name,
    dtype: "F32",
    shape: fileShape(named),
    data: toFileOrder(data[i]!, named),
  }));
}

/**
 * Fills tensors from a file. All are read and checked before the first is written.
 * @throws WeightsError naming the tensor with the shape found and expected or with numbers that are not finite, or the
 * tensors that the file lacks
 */
export async function loadTensors(file: WeightsFile, tensors: readonly NamedTensor[]): Promise<void> {
  expectNamed("loadTensors", tensors);
  const missing = tensors.filter(({ name }) => !file.tensors.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    const some = missing.slice(0, 5).join(", ");
    throw new WeightsError(
      `${file.path} lacks ${missing.length} tensor(s) of this model: ${some}${missing.length > 5 ? ", …" : ""}`,
    );
  }
  const loaded = await Promise.all(tensors.map((named) => readTensor(file, named)));
  tensors.forEach((named, i) => {
    named.tensor.write(loaded[i]!);
  });
}

/** Gives tensors their names for messages, and where numbers are checked has what they hold examined. */
export function nameTensors(tensors: readonly NamedTensor[]): void {
  for (const { name, tensor } of tensors) {
    tensor.name = name;
    tensor.device.numbers?.examine("the network", "input", [], tensor);
  }
}

/**
 * One tensor of a file in the engine's order, checked against the tensor it is meant for.
 * @throws WeightsError for another shape, and for numbers that are not finite, from which nothing can be computed
 */
export async function readTensor(
  file: WeightsFile,
  named: NamedTensor,
  name = named.name,
): Promise<Float32Array<ArrayBuffer>> {
  const stored = await file.read(name);
  const expected = fileShape(named);
  if (stored.shape.join() !== expected.join()) {
    throw new WeightsError(
      `${file.path}: tensor "${name}" is [${stored.shape.join(", ")}], this model expects [${expected.join(", ")}]`,
    );
  }
  const fault = faultOf(stored);
  if (fault) throw new WeightsError(`${file.path}: ${fault}: the file is damaged, or its training went wrong`);
  return fromFileOrder(toFloat32(stored), named);
}

/** A parameter that a layer owns: outside all scopes, marked for gradients. */
export function parameter(device: Device, data: Float32Array, shape: readonly number[]): Tensor {
  const tensor = device.owned("parameters", () => Tensor.from(device, data, shape).keep());
  tensor.requiresGradient = true;
  return tensor;
}

/** A {@link parameter} whose elements are drawn one by one; 0 without `draw`, for weights that are loaded. */
export function drawn(device: Device, shape: Shape, draw: (() => number) | undefined): Tensor {
  const data = new Float32Array(sizeOf(shape));
  if (draw) for (let i = 0; i < data.length; i++) data[i] = draw();
  return parameter(device, data, shape);
}
