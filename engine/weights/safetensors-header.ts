import { byteLengthOf, DTYPE_BYTES, type StoredDtype, type TensorInfo, WeightsError } from "./stored.ts";

/** The header is JSON; a larger one than this is taken for damage. The reference implementation has the same bound. */
export const MAX_HEADER_BYTES = 100_000_000;

/** A file that is not, or not wholly, safetensors; names the file, the tensor, what was found and what was expected. */
export class SafetensorsError extends WeightsError {
  override name = "SafetensorsError";
}

/** Where a tensor lies and what it is. */
export interface StoredTensorInfo extends TensorInfo {
  /** First byte, from the beginning of the file. */
  readonly offset: number;
}

/** A parsed header. */
export interface Header {
  /** In the order in which they lie in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Length of the header in bytes, from the first 8 bytes of a file.
 * @throws SafetensorsError when the file is too short for it or the length is absurd
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, source: string): number {
  if (prefix.length < 8 || fileBytes < 8) {
    throw new SafetensorsError(`${source}: ${fileBytes} bytes are too few for a safetensors file.`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new SafetensorsError(
      `${source}: the header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} allowed; not a safetensors file?`,
    );
  }
  if (Number(length) > fileBytes - 8) {
    throw new SafetensorsError(
      `${source}: the header claims ${length} bytes, but only ${fileBytes - 8} follow; the file is truncated.`,
    );
  }
  return Number(length);
}

/**
 * Reads and checks a header: JSON of the right shape, known dtypes, and tensors that fill the data exactly, without
 * gaps or overlaps, each as long as its dtype and shape say.
 * @param bytes the header alone
 * @param fileBytes size of the whole file
 * @param source names the file in errors
 * @throws SafetensorsError
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, source: string): Header {
  const entries = headerEntries(bytes, source);
  const metadata = new Map<string, string>();
  const tensors: StoredTensorInfo[] = [];
  const dataStart = 8 + bytes.length;
  for (const [name, entry] of entries) {
    if (name === "__metadata__") {
      if (!isRecord(entry)) throw new SafetensorsError(`${source}: __metadata__ is not an object of texts.`);
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== "string") {
          throw new SafetensorsError(`${source}: metadata "${key}" is ${kindOf(value)}, expected a text.`);
        }
        metadata.set(key, value);
      }
    } else {
      tensors.push(parseEntry(name, entry, dataStart, fileBytes, source));
    }
  }
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, offset, byteLength } of tensors) {
    if (offset !== end) {
      throw new SafetensorsError(
        `${source}: tensor "${name}" begins at byte ${offset - dataStart} of the data, expected ${end - dataStart}: ` +
          `tensors must follow each other without ${offset < end ? "overlap" : "gap"}.`,
      );
    }
    end = offset + byteLength;
  }
  if (end !== fileBytes) {
    throw new SafetensorsError(`${source}: the file has ${fileBytes} bytes, expected ${end} after its last tensor.`);
  }
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function headerEntries(bytes: Uint8Array, source: string): [string, unknown][] {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new SafetensorsError(`${source}: the header is not JSON: it is damaged; take it from a copy.`, {
      cause: error,
    });
  }
  if (!isRecord(header)) throw new SafetensorsError(`${source}: the header is ${kindOf(header)}, expected an object.`);
  return Object.entries(header);
}

function parseEntry(
  name: string,
  entry: unknown,
  dataStart: number,
  fileBytes: number,
  source: string,
): StoredTensorInfo {
  const wrong = (what: string) => new SafetensorsError(`${source}: tensor "${name}" ${what}`);
  if (!isRecord(entry)) throw wrong(`is described by ${kindOf(entry)}, expected an object.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    throw wrong(`has dtype ${brief(dtype)}, expected one of ${Object.keys(DTYPE_BYTES).join(", ")}.`);
  }
  if (!isSizes(shape)) throw wrong(`has shape ${brief(shape)}, expected a list of non-negative integers.`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw wrong(`has data_offsets ${brief(offsets)}, expected [begin, end].`);
  }
  const [begin, end] = offsets as [number, number];
  if (end > fileBytes - dataStart) {
    throw wrong(`ends at byte ${end} of the data, but the file holds only ${fileBytes - dataStart}; it is truncated.`);
  }
  const expected = byteLengthOf(dtype as StoredDtype, shape);
  if (end - begin !== expected) {
    throw wrong(`occupies ${end - begin} bytes, expected ${expected} for ${dtype} [${shape.join(", ")}].`);
  }
  return { name, dtype: dtype as StoredDtype, shape, offset: dataStart + begin, byteLength: expected };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** A damaged value for an error message; damage can be long or nested too deep to print. */
function brief(value: unknown): string {
  if (value === undefined) return "(none)";
  try {
    const text = String(JSON.stringify(value));
    return text.length > 80 ? `${text.slice(0, 77)}...` : text;
  } catch {
    return kindOf(value);
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
}
