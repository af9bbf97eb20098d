import { crc32 } from "node:zlib";
import yauzl from "yauzl";

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The entries of a zip archive without compression. */
export async function zipEntries(archive: Uint8Array): Promise<ZipEntry[]> {
  const zip = await yauzl.fromBufferPromise(Buffer.from(archive));
  const entries: ZipEntry[] = [];
  for await (const entry of zip.eachEntry()) {
    if (entry.compressionMethod !== 0) throw new Error(`${entry.fileName} is compressed`);
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    entries.push({
      name: entry.fileName,
      bytes: archive.slice(fileDataStart, fileDataStart + entry.compressedSize),
    });
  }
  return entries;
}

/** A zip archive without compression, with the right checksums whatever the entries hold. */
export function writeZip(entries: readonly ZipEntry[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, bytes } of entries) {
    const local = record(name, bytes, 0x04034b50, 30, 4, 0);
    directory.push(record(name, bytes, 0x02014b50, 46, 6, at));
    pieces.push(local, bytes);
    at += local.length + bytes.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...pieces, ...directory, end]);
}

/** A local or central header: both hold the same fields, from `fields` on in this order. */
function record(name: string, bytes: Uint8Array, signature: number, length: number, fields: number, offset: number) {
  const text = Buffer.from(name);
  const header = Buffer.alloc(length);
  header.writeUInt32LE(signature, 0);
  header.writeUInt16LE(20, fields);
  header.writeUInt32LE(crc32(bytes), fields + 10);
  header.writeUInt32LE(bytes.length, fields + 14);
  header.writeUInt32LE(bytes.length, fields + 18);
  header.writeUInt16LE(text.length, fields + 22);
  if (length === 46) header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, text]);
}
