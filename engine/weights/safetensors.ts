import type { FileHandle } from "node:fs/promises";
import { writeFileAtomically } from "./atomic.ts";
import { fileError } from "./files.ts";
import { headerLength, parseHeader, SafetensorsError, type StoredTensorInfo } from "./safetensors-header.ts";
import {
  byteLengthOf,
  DTYPE_BYTES,
  infoOf,
  openToRead,
  readExactly,
  type StoredDtype,
  type StoredTensor,
  type WeightsFile,
} from "./stored.ts";

export { SafetensorsError, type StoredTensorInfo } from "./safetensors-header.ts";
export { type StoredDtype, type StoredTensor, type StoredView, toFloat32, typedView } from "./stored.ts";

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

  /** @throws WeightsError when there is no tensor of this name */
  get(name: string): StoredTensor {
    const { dtype, shape, offset, byteLength } = infoOf(this.tensors, name, this.#source);
    return { name, dtype, shape, bytes: this.#bytes.subarray(offset, offset + byteLength) };
  }
}

/** An open safetensors file; only the header is in memory, each tensor is read when asked for. */
export class SafetensorsFile implements WeightsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensorInfo>;
  /** The free texts of the header. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly notes: readonly string[] = [];
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

  /** @throws WeightsError when there is no tensor of this name, or the file was cut since it was opened */
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
 * @throws SafetensorsError when it is not a whole, valid safetensors file; FileError when it cannot be opened
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openToRead(path);
  try {
    const { size } = await file.stat();
    const prefix = await readExactly(file, 0, Math.min(8, size), path);
    const length = headerLength(prefix, size, path);
    const header = parseHeader(await readExactly(file, 8, length, path), size, path);
    return new SafetensorsFile(path, file, header);
  } catch (error) {
    await file.close();
    throw fileError(path, error, "read");
  }
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
