import type { FileHandle } from "node:fs/promises";
import { fileError } from "./files.ts";
import { type Archive, PytorchError, type StorageReader } from "./pytorch-archive.ts";
import type { TensorWindow } from "./pytorch-classes.ts";
import { openLegacyArchive } from "./pytorch-legacy.ts";
import { describe, findState } from "./pytorch-state.ts";
import { openZipArchive } from "./pytorch-zip.ts";
import {
  DTYPE_BYTES,
  infoOf,
  openToRead,
  readExactly,
  type StoredTensor,
  type TensorInfo,
  type WeightsFile,
} from "./stored.ts";

export { PytorchError } from "./pytorch-archive.ts";

/** A tensor of an archive, and where its elements are. */
interface PytorchTensorInfo extends TensorInfo {
  readonly window: TensorWindow;
}

/** An open PyTorch archive; only its pickle has been read, each tensor is read when asked for. */
export class PytorchFile implements WeightsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, PytorchTensorInfo>;
  readonly notes: readonly string[];
  readonly #file: FileHandle;
  readonly #read: StorageReader;

  /**
   * Use `openPytorch`.
   * @throws PytorchError when the archive holds no state dict
   */
  constructor(path: string, file: FileHandle, { value, read }: Archive) {
    const state = findState(value, path);
    if (!state) {
      throw new PytorchError(
        `${path} holds no state dict, a dict of named tensors, but ${describe(value)}; in Python, save ` +
          "`torch.save(model.state_dict(), …)`",
      );
    }
    this.path = path;
    this.notes = state.notes;
    this.tensors = new Map(
      [...state.tensors].map(([name, window]) => {
        const { storage, shape } = window;
        const byteLength = window.size * DTYPE_BYTES[storage.dtype];
        return [name, { name, dtype: storage.dtype, shape, byteLength, window }];
      }),
    );
    this.#file = file;
    this.#read = read;
  }

  /** @throws WeightsError when there is no tensor of this name, its storage is damaged, or the file was cut since */
  async read(name: string): Promise<StoredTensor> {
    const { dtype, shape, window } = infoOf(this.tensors, name, this.path);
    const size = DTYPE_BYTES[dtype];
    if (window.size === 0) return { name, dtype, shape, bytes: new Uint8Array(0) };
    const run = await this.#read(window.storage, window.offset * size, window.end * size);
    return { name, dtype, shape, bytes: window.contiguous ? run : gather(run, window, size) };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The elements of a window in row-major order. `run`: the storage from the window's offset on, in elements of `size` bytes. */
function gather(run: Uint8Array<ArrayBuffer>, { shape, stride, size: elements }: TensorWindow, size: number) {
  const Elements = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array }[size]!;
  const aligned = run.byteOffset % size === 0 ? run : new Uint8Array(run);
  const from = new Elements(aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
  const to = new Elements(elements);
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < elements; i++) {
    to[i] = from[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += stride[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= stride[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}

/**
 * Opens weights that `torch.save` wrote, in the zip form of PyTorch 1.6 and later or in the one before. Its pickle is
 * read as data and no code of it is run; classes other than those of tensors are refused by name. A state dict inside
 * a training checkpoint is found under the usual names, and the prefix "module." is removed; `notes` tell. Close the
 * file, or declare it with `await using`.
 * @throws WeightsError when it is no such file, damaged, big-endian, or asks for an unknown class; the system's error
 * when it cannot be opened
 */
export async function openPytorch(path: string): Promise<PytorchFile> {
  const file = await openToRead(path);
  try {
    const { size } = await file.stat();
    const [first, second] = await readExactly(file, 0, Math.min(2, size), path);
    if (first === 0x50 && second === 0x4b) return new PytorchFile(path, file, await openZipArchive(file, size, path));
    if (first === 0x80) return new PytorchFile(path, file, await openLegacyArchive(file, size, path));
    throw new PytorchError(`${path} is not a PyTorch archive: it is neither a zip archive nor a pickle`);
  } catch (error) {
    await file.close();
    throw fileError(path, error, "read");
  }
}
