import { insteadOfFile } from "../file-kind.ts";
import { type FileHandle, open } from "../host/files.ts";
import { onFile } from "./files.ts";
import { halvesToNumbers } from "./half.ts";

/** Bytes per element of every dtype that is read, under safetensors' names. */
export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** A dtype by the name that safetensors gives it. */
export type StoredDtype = keyof typeof DTYPE_BYTES;

/** A weights file that is not, or not wholly, what it should be; names the file, what was found and what was expected. */
export class WeightsError extends Error {
  override name = "WeightsError";
  readonly advice: string =
    "See that it is the right file; if it is, it is damaged: take it from a copy, or make it again";
}

/** What a tensor of a file is. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Bytes of its elements, as {@link WeightsFile.read} gives them. */
  readonly byteLength: number;
}

/** A tensor as stored: little-endian, row-major, without gaps. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** An open weights file of any format; only what describes it is in memory, each tensor is read when asked for. */
export interface WeightsFile extends AsyncDisposable {
  readonly path: string;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What was left out or renamed on reading, in sentences for a log. */
  readonly notes: readonly string[];
  /** @throws WeightsError when there is no tensor of this name, or its bytes are not as the file says */
  read(name: string): Promise<StoredTensor>;
  close(): Promise<void>;
}

/** The typed array of each dtype; halves as their bits, BOOL as bytes. */
export type StoredView =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

const VIEWS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/**
 * The elements of a stored tensor as a typed array of its dtype: a view where the bytes are aligned, else a copy.
 * F16 and BF16 come as their bits in a Uint16Array.
 */
export function typedView(tensor: StoredTensor): StoredView {
  const size = DTYPE_BYTES[tensor.dtype];
  const bytes = tensor.bytes.byteOffset % size === 0 ? tensor.bytes : new Uint8Array(tensor.bytes);
  return new VIEWS[tensor.dtype](bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / size);
}

/**
 * The elements of a stored tensor as float32: F16 and BF16 exactly, F64 and integers rounded to the nearest float32,
 * BOOL as 0 and 1. F32 is not copied where the bytes are aligned.
 * @returns [product of the shape]
 */
export function toFloat32(tensor: StoredTensor): Float32Array {
  const view = typedView(tensor);
  if (view instanceof Float32Array) return view;
  if (tensor.dtype === "F16") return halvesToNumbers(view as Uint16Array);
  const values = new Float32Array(view.length);
  if (tensor.dtype === "BF16") {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < values.length; i++) bits[i] = (view[i] as number) << 16;
  } else for (let i = 0; i < values.length; i++) values[i] = Number(view[i]);
  return values;
}

/**
 * What is wrong with the numbers of a tensor, in words: those that are not finite with their count and the place of the
 * first; undefined when all are finite.
 */
export function faultOf(tensor: StoredTensor): string | undefined {
  const values = toFloat32(tensor);
  let [count, first] = [0, -1];
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) continue;
    count++;
    if (first < 0) first = i;
  }
  if (count === 0) return undefined;
  const place: number[] = [];
  let rest = first;
  for (const extent of [...tensor.shape].reverse()) {
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  const where = `the first, ${values[first]}, at [${place.join(", ")}]`;
  return `tensor "${tensor.name}" has ${count} of ${values.length} values that are not finite, ${where}`;
}

/** Bytes of a tensor; infinite or inexact products of sizes never equal a length in a file. */
export function byteLengthOf(dtype: StoredDtype, shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1) * DTYPE_BYTES[dtype];
}

/** What a file says of one tensor. @throws WeightsError with some of the names there are, when there is none of this name */
export function infoOf<Info extends TensorInfo>(tensors: ReadonlyMap<string, Info>, name: string, path: string): Info {
  const info = tensors.get(name);
  if (info) return info;
  const some = [...tensors.keys()].slice(0, 8).join(", ");
  throw new WeightsError(
    `${path}: there is no tensor "${name}"; it holds ${tensors.size}: ${some}${tensors.size > 8 ? ", ..." : ""}`,
  );
}

/**
 * Bytes offset to offset + length of a file. The caller has checked that the file holds them; nothing in a file may
 * decide alone how much is allocated here.
 * @throws WeightsError when the file ends before
 */
export async function readExactly(
  file: FileHandle,
  offset: number,
  length: number,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    // Node refuses to read 2 GiB at once.
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), offset + done);
    if (bytesRead === 0) {
      throw new WeightsError(`${path}: ends at byte ${offset + done}, expected ${offset + length}; it is truncated.`);
    }
    done += bytesRead;
  }
  return bytes;
}

/** Opens a weights file. @throws WeightsError when the path leads to no file; the system's error when it cannot be opened */
export async function openToRead(path: string): Promise<FileHandle> {
  const other = await insteadOfFile(path);
  if (other) throw new WeightsError(`${path} is ${other}, not a file: name a weights file`);
  return onFile(path, "read", () => open(path, "r"));
}
