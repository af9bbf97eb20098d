import { buffer } from "node:stream/consumers";
import yauzl from "yauzl";
import { FileError, readBytes } from "../../engine/weights/files.ts";

/** Parameters are some KB; nothing larger is unpacked. */
const mostBytes = 2 ** 24;

/** Arrays of numbers in a file of NumPy's savez, by name, flat and in the order in which they are stored. @throws FileError */
export async function readNpz(path: string): Promise<Map<string, Float64Array>> {
  const bytes = await readBytes(path);
  const arrays = new Map<string, Float64Array>();
  try {
    const zip = await yauzl.fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    for await (const entry of zip.eachEntry()) {
      const name = /^([^/]+)\.npy$/.exec(entry.fileName)?.[1];
      if (name === undefined) continue;
      if (entry.uncompressedSize > mostBytes) throw new Error(`${entry.fileName} has ${entry.uncompressedSize} bytes`);
      arrays.set(name, npyNumbers(await buffer(await zip.openReadStreamPromise(entry)), entry.fileName));
    }
  } catch (cause) {
    throw new FileError(`${path} is no NumPy archive, or damaged: ${(cause as Error).message}`, { cause });
  }
  return arrays;
}

/** Magic number, version, length of the header, a Python dictionary, numbers (NumPy enhancement proposal 1). */
function npyNumbers(bytes: Buffer, name: string): Float64Array {
  if (bytes.subarray(0, 6).toString("latin1") !== "\x93NUMPY") throw new Error(`${name} is no array`);
  const wide = bytes[6]! > 1;
  const start = wide ? 12 : 10;
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  const type = /'descr':\s*'([^']*)'/.exec(bytes.subarray(start, end).toString("latin1"))?.[1];
  if (type !== "<f8" && type !== "<f4") throw new Error(`${name} holds ${type}; <f8 or <f4 is expected`);
  const size = type === "<f8" ? 8 : 4;
  return Float64Array.from({ length: Math.floor((bytes.length - end) / size) }, (_, i) =>
    size === 8 ? bytes.readDoubleLE(end + 8 * i) : bytes.readFloatLE(end + 4 * i),
  );
}
