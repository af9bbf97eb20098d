import { type FileHandle, open } from "node:fs/promises";
import { writeFileAtomically } from "./atomic.ts";
import { bfloatToNumber, halfToNumber } from "./half.ts";
import {
  byteLengthOf,
  DTYPE_BYTES,
  headerLength,
  parseHeader,
  SafetensorsError,
  type StoredDtype,
  type StoredTensorInfo,
} from "./safetensors-header.ts";

export { SafetensorsError, type StoredDtype, type StoredTensorInfo } from "./safetensors-header.ts";

/** A tensor as stored: little-endian, row-major. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
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
  if (tensor.dtype === "F16") return Float32Array.from(view as Uint16Array, halfToNumber);
  if (tensor.dtype === "BF16") return Float32Array.from(view as Uint16Array, bfloatToNumber);
  return Float32Array.from(view as ArrayLike<number | bigint>, Number);
}

/** Tensors of a safetensors file held in memory; reading one copies nothing. */
export class Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensorInfo>;
  /** The free texts of the header. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly #bytes: Uint8Array;
  readonly #source: string;

  /**
   * @param bytes a whole file
   * @param source names it in errors
   * @throws SafetensorsError when it is not a whole, valid safetensors file
   */
  constructor(bytes: Uint8Array, source = "(bytes)") {
    const length = headerLength(bytes.subarray(0, 8), bytes.length, source);
    const header = parseHeader(bytes.subarray(8, 8 + length), bytes.length, source);
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#bytes = bytes;
    this.#source = source;
  }

  /** @throws SafetensorsError when there is no tensor of this name */
  get(name: string): StoredTensor {
    const { dtype, shape, offset, byteLength } = infoOf(this.tensors, name, this.#source);
    return { name, dtype, shape, bytes: this.#bytes.subarray(offset, offset + byteLength) };
  }
}

/** An open safetensors file; only the header is in memory, each tensor is read when asked for. */
export class SafetensorsFile implements AsyncDisposable {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensorInfo>;
  /** The free texts of the header. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly #file: FileHandle;

  /** Use `openSafetensors`. */
  constructor(
    path: string,
    file: FileHandle,
    header: { tensors: ReadonlyMap<string, StoredTensorInfo>; metadata: ReadonlyMap<string, string> },
  ) {
    this.path = path;
    this.#file = file;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
  }

  /** @throws SafetensorsError when there is no tensor of this name, or the file was cut since it was opened */
  async read(name: string): Promise<StoredTensor> {
    const { dtype, shape, offset, byteLength } = infoOf(this.tensors, name, this.path);
    const bytes = await readExactly(this.#file, offset, byteLength, this.path);
    return { name, dtype, shape, bytes };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens a safetensors file and checks its header. Close it, or declare it with `await using`.
 * @throws SafetensorsError when it is not a whole, valid safetensors file; the system's error when it cannot be opened
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const prefix = await readExactly(file, 0, Math.min(8, size), path);
    const length = headerLength(prefix, size, path);
    const header = parseHeader(await readExactly(file, 8, length, path), size, path);
    return new SafetensorsFile(path, file, header);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function infoOf(tensors: ReadonlyMap<string, StoredTensorInfo>, name: string, source: string): StoredTensorInfo {
  const info = tensors.get(name);
  if (info) return info;
  const some = [...tensors.keys()].slice(0, 8).join(", ");
  throw new SafetensorsError(
    `${source}: there is no tensor "${name}"; it holds ${tensors.size}: ${some}${tensors.size > 8 ? ", ..." : ""}`,
  );
}

async function readExactly(file: FileHandle, offset: number, length: number, source: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    // Node refuses to read 2 GiB at once.
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), offset + done);
    if (bytesRead === 0) {
      throw new SafetensorsError(
        `${source}: ends at byte ${offset + done}, expected ${offset + length}; it is truncated.`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

/** A tensor to store; `data` holds its elements little-endian, any typed array over the right bytes. */
export interface TensorToStore {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * The pieces of a safetensors file, header first. Tensors are ordered by element size, then name, and the header is
 * padded to 8 bytes, so that every tensor is aligned and the same tensors give the same bytes.
 * @throws SafetensorsError when a name repeats or is reserved, or data and shape disagree
 */
export function encodeSafetensors(
  tensors: Iterable<TensorToStore>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const sorted = [...tensors].sort(
    (a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const names = new Set(["__metadata__"]);
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let offset = 0;
  for (const { name, dtype, shape, data } of sorted) {
    if (names.has(name)) throw new SafetensorsError(`A tensor named "${name}" cannot be stored: the name is taken.`);
    names.add(name);
    const expected = byteLengthOf(dtype, shape);
    if (data.byteLength !== expected) {
      throw new SafetensorsError(
        `Tensor "${name}" has ${data.byteLength} bytes, expected ${expected} for ${dtype} [${shape.join(", ")}].`,
      );
    }
    entries.push([name, { dtype, shape, data_offsets: [offset, offset + expected] }]);
    offset += expected;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return [header, ...sorted.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

/**
 * Writes a safetensors file atomically: `path` never holds half a file.
 * @throws SafetensorsError as `encodeSafetensors`; the system's error when it cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToStore>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomically(path, encodeSafetensors(tensors, metadata));
}
