import type { FileHandle } from "node:fs/promises";
import { MAX_PICKLE_BYTES, unpickle } from "./pickle.ts";
import { brief, kindOf, PickleEndError, type PickleRules } from "./pickle-values.ts";
import { type Archive, PytorchError } from "./pytorch-archive.ts";
import { pytorchRules, type Storage } from "./pytorch-classes.ts";
import { DTYPE_BYTES, readExactly } from "./stored.ts";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const FIRST_READ_BYTES = 2 ** 18;

/**
 * The form of `torch.save` before PyTorch 1.6: five pickles (magic number, protocol, system, value, keys of the
 * storages), then for each key the number of elements in 8 bytes and the elements.
 */
export async function openLegacyArchive(file: FileHandle, size: number, path: string): Promise<Archive> {
  const { value, storages, keys, end } = await readPickles(file, size, path);
  const starts = await locate(file, size, path, storages, keys, end);
  return {
    value,
    read: (storage, begin, end) => {
      const start = starts.get(storage.key)!;
      return readExactly(file, start + begin, end - begin, path);
    },
  };
}

interface Pickles {
  readonly value: unknown;
  readonly storages: ReadonlyMap<string, Storage>;
  readonly keys: unknown;
  /** Where the storages begin. */
  readonly end: number;
}

/** The pickles do not say how long they are: more of the file is read until they end. */
async function readPickles(file: FileHandle, size: number, path: string): Promise<Pickles> {
  const most = Math.min(size, MAX_PICKLE_BYTES);
  for (let length = FIRST_READ_BYTES; ; length *= 4) {
    const bytes = await readExactly(file, 0, Math.min(length, most), path);
    try {
      return parsePickles(bytes, path);
    } catch (error) {
      if (!(error instanceof PickleEndError) || bytes.length === most) throw error;
    }
  }
}

function parsePickles(bytes: Uint8Array, path: string): Pickles {
  const plain = (what: string): PickleRules => ({ source: `${path}: the pickle of ${what}`, classes: new Map() });
  const magic = unpickle(bytes, 0, plain("the magic number"));
  if (magic.value !== MAGIC) {
    throw new PytorchError(
      `${path} is a pickle, but not one of torch.save: it begins with ${kindOf(magic.value)}, not with its magic number`,
    );
  }
  const protocol = unpickle(bytes, magic.end, plain("the protocol"));
  if (protocol.value !== PROTOCOL) {
    throw new PytorchError(`${path}: the protocol is ${kindOf(protocol.value)}, expected ${PROTOCOL}`);
  }
  const system = unpickle(bytes, protocol.end, plain("the system"));
  const little = system.value instanceof Map ? system.value.get("little_endian") : undefined;
  if (little !== true) {
    throw new PytorchError(`${path}: little_endian is ${kindOf(little)}; only little-endian archives are read`);
  }
  const storages = new Map<string, Storage>();
  const object = unpickle(bytes, system.end, pytorchRules(`${path}: the pickle`, storages));
  const keys = unpickle(bytes, object.end, plain("the storage keys"));
  return { value: object.value, storages, keys: keys.value, end: keys.end };
}

/** First byte of the elements of every storage. */
async function locate(
  file: FileHandle,
  size: number,
  path: string,
  storages: ReadonlyMap<string, Storage>,
  keys: unknown,
  begin: number,
): Promise<ReadonlyMap<string, number>> {
  if (!Array.isArray(keys)) throw new PytorchError(`${path}: the storage keys are ${kindOf(keys)}, expected a list`);
  const starts = new Map<string, number>();
  let at = begin;
  for (const key of keys) {
    const storage = storages.get(key);
    if (!storage || starts.has(key)) {
      throw new PytorchError(`${path}: ${kindOf(key)} among the storage keys ${storage ? "repeats" : "has no tensor"}`);
    }
    const bytes = storage.size * DTYPE_BYTES[storage.dtype];
    const what = `${path}: storage "${brief(key)}" (${storage.dtype} [${storage.size}])`;
    if (at + 8 + bytes > size) {
      throw new PytorchError(`${what} ends at byte ${at + 8 + bytes}, the file has ${size}; it is truncated`);
    }
    const count = new DataView((await readExactly(file, at, 8, path)).buffer).getBigInt64(0, true);
    if (count !== BigInt(storage.size)) throw new PytorchError(`${what} holds ${count} elements by its own count`);
    starts.set(key, at + 8);
    at += 8 + bytes;
  }
  for (const key of storages.keys()) {
    if (!starts.has(key)) throw new PytorchError(`${path}: storage "${brief(key)}" is missing`);
  }
  return starts;
}
