import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import yauzl, { type Entry, type ZipFile } from "yauzl";
import { MAX_PICKLE_BYTES, unpickle } from "./pickle.ts";
import { brief } from "./pickle-values.ts";
import { type Archive, PytorchError, type StorageReader } from "./pytorch-archive.ts";
import { pytorchRules, type Storage } from "./pytorch-classes.ts";
import { DTYPE_BYTES, readExactly } from "./stored.ts";

const MAX_ENTRIES = 200_000;
/** All entries unpacked may have this many times the bytes of the archive; weights hardly compress. */
const MAX_EXPANSION = 64;
/** Versions of the format that PyTorch has written or reserved. */
const VERSIONS = { least: 1, most: 10 };

/** The zip form of `torch.save`, since PyTorch 1.6: root/data.pkl, root/data/KEY, root/version, root/byteorder. */
export async function openZipArchive(file: FileHandle, size: number, path: string): Promise<Archive> {
  const zip = await Container.open(file, size, path);
  const root = rootOf(zip);
  await checkVersion(zip, root);
  const pickle = await zip.readAll(`${root}/data.pkl`, MAX_PICKLE_BYTES);
  const storages = new Map<string, Storage>();
  const { value } = unpickle(pickle, 0, pytorchRules(`${path}: data.pkl`, storages));
  for (const storage of storages.values()) {
    const expected = storage.size * DTYPE_BYTES[storage.dtype];
    const found = zip.size(`${root}/data/${storage.key}`);
    if (found !== expected) {
      const name = `${path}: storage "${brief(storage.key)}" (${storage.dtype} [${storage.size}])`;
      throw new PytorchError(
        found === undefined ? `${name} is missing` : `${name} has ${found} bytes, expected ${expected}`,
      );
    }
  }
  const read: StorageReader = ({ key }, begin, end) => zip.read(`${root}/data/${key}`, begin, end);
  return { value, read };
}

/** The one folder of the archive. */
function rootOf(zip: Container): string {
  const roots = [...zip.names()].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  const [root, second] = roots;
  if (root === undefined) zip.fail("is a zip archive, but not PyTorch's: it holds no ROOT/data.pkl");
  if (second !== undefined) zip.fail(`holds two pickles, ${brief(root)}/data.pkl and ${brief(second)}/data.pkl`);
  if (zip.size(`${root}/constants.pkl`) !== undefined) {
    zip.fail("is a TorchScript program; no code is run. In Python, save `torch.save(model.state_dict(), …)`");
  }
  return root;
}

async function checkVersion(zip: Container, root: string): Promise<void> {
  const text = async (name: string) => {
    if (zip.size(`${root}/${name}`) === undefined) return undefined;
    return new TextDecoder().decode(await zip.readAll(`${root}/${name}`, 64)).trim();
  };
  const version = await text("version");
  if (!/^\d{1,3}$/.test(version ?? "") || Number(version) < VERSIONS.least || Number(version) > VERSIONS.most) {
    zip.fail(
      version === undefined
        ? "lacks the entry version"
        : `has version ${brief(version)}, expected ${VERSIONS.least} to ${VERSIONS.most}`,
    );
  }
  // Written since PyTorch 2.1; before, machines were taken for little-endian.
  const order = (await text("byteorder")) ?? "little";
  if (order !== "little") zip.fail(`has byte order "${brief(order)}"; only little-endian archives are read`);
}

/** The entries of a zip archive by name. The container is yauzl's work; its errors become ours. */
class Container {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #zip: ZipFile;
  readonly #entries = new Map<string, Entry>();

  private constructor(file: FileHandle, path: string, zip: ZipFile) {
    this.#file = file;
    this.#path = path;
    this.#zip = zip;
  }

  static async open(file: FileHandle, size: number, path: string): Promise<Container> {
    const reader = new HandleReader(file, size);
    try {
      // Never closed: it holds nothing but the handle, which stays with the caller.
      const zip = await yauzl.fromRandomAccessReaderPromise(reader, size, { autoClose: false });
      const container = new Container(file, path, zip);
      let unpacked = 0;
      for await (const entry of zip.eachEntry()) {
        unpacked += entry.uncompressedSize;
        if (container.#entries.has(entry.fileName)) throw new Error(`it holds ${brief(entry.fileName)} twice`);
        if (container.#entries.size >= MAX_ENTRIES) throw new Error(`it holds more than ${MAX_ENTRIES} entries`);
        if (!entry.canDecodeFileData()) {
          throw new Error(`${brief(entry.fileName)} is encrypted, or packed by method ${entry.compressionMethod}`);
        }
        container.#entries.set(entry.fileName, entry);
      }
      if (unpacked > MAX_EXPANSION * size) {
        throw new Error(
          `its ${size} bytes claim to unpack to ${unpacked}; more than ${MAX_EXPANSION} times is refused`,
        );
      }
      return container;
    } catch (error) {
      throw zipError(error, path);
    }
  }

  names(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Bytes of an entry once unpacked. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.uncompressedSize;
  }

  fail(what: string): never {
    throw new PytorchError(`${this.#path} ${what}`);
  }

  /** A whole entry of which the archive has said that it exists. */
  async readAll(name: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
    const size = this.size(name)!;
    if (size > most) this.fail(`has ${size} bytes in ${name}, more than the ${most} allowed`);
    return await this.read(name, 0, size);
  }

  /** Bytes `begin` to `end` of an entry; the checksum is checked where the whole entry is in memory anyway. */
  async read(name: string, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name)!;
    const start = await this.#dataStart(entry);
    if (entry.isCompressed()) {
      const packed = await readExactly(this.#file, start, entry.compressedSize, this.#path);
      return this.#checked(entry, await this.#inflate(entry, packed)).subarray(begin, end);
    }
    const bytes = await readExactly(this.#file, start + begin, end - begin, this.#path);
    return bytes.length === entry.uncompressedSize ? this.#checked(entry, bytes) : bytes;
  }

  async #dataStart(entry: Entry): Promise<number> {
    try {
      return (await this.#zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart;
    } catch (error) {
      throw zipError(error, this.#path);
    }
  }

  async #inflate(entry: Entry, packed: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const { fileName, uncompressedSize } = entry;
    try {
      const bytes = await promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, uncompressedSize) });
      if (bytes.length !== uncompressedSize) throw new Error(`${bytes.length} bytes come out, not ${uncompressedSize}`);
      return bytes;
    } catch (error) {
      throw new PytorchError(`${this.#path}: ${brief(fileName)} cannot be unpacked: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  #checked<Bytes extends Uint8Array>(entry: Entry, bytes: Bytes): Bytes {
    if (crc32(bytes) !== entry.crc32) {
      this.fail(`is damaged: the checksum of ${brief(entry.fileName)} is not the one that the archive gives`);
    }
    return bytes;
  }
}

/** Positions come from the archive, so that they are checked before the system sees them. */
class HandleReader extends yauzl.RandomAccessReader {
  readonly #file: FileHandle;
  readonly #size: number;

  constructor(file: FileHandle, size: number) {
    super();
    this.#file = file;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.#size)) {
      setImmediate(callback, new Error(`byte ${position} is asked for, there are ${this.#size}`));
      return;
    }
    this.#file.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(null, bytesRead),
      (error) => callback(error),
    );
  }
}

/** The system's errors stay as they are: the file is not to blame. */
function zipError(error: unknown, path: string): Error {
  if ((error as NodeJS.ErrnoException).syscall) return error as Error;
  return new PytorchError(`${path}: the zip archive cannot be read: ${brief((error as Error).message)}`, {
    cause: error,
  });
}
