import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { onDisk } from "./files/file-name.ts";

/**
 * The pictures that are none of `others`: neither their file nor one with the same bytes. Only files of equal size are read.
 * @param by `path` passes over what files hold. @default "bytes"
 */
export async function withoutCopies<R extends { readonly path: string }>(
  rows: readonly R[],
  others: readonly { readonly path: string }[],
  by: "path" | "bytes" = "bytes",
): Promise<R[]> {
  const paths = new Set(others.map(({ path }) => resolve(path)));
  const different = rows.filter(({ path }) => !paths.has(resolve(path)));
  if (by === "path" || different.length === 0) return different;
  const sizes = Map.groupBy(await sized(others), ({ bytes }) => bytes);
  const hashes = new Map<string, Promise<string>>();
  const hash = (path: string) => {
    const known = hashes.get(path) ?? hashOf(path);
    hashes.set(path, known);
    return known;
  };
  const kept: R[] = [];
  for (const { row, bytes } of await sized(different)) {
    const alike = (bytes !== undefined && sizes.get(bytes)) || [];
    const found = alike.length > 0 ? await hash(row.path) : undefined;
    let isCopy = false;
    for (const other of alike) isCopy ||= (await hash(other.row.path)) === found;
    if (!isCopy) kept.push(row);
  }
  return kept;
}

/** Rows with the size of their file; undefined of one that cannot be looked at, which shows when it is decoded. */
async function sized<R extends { readonly path: string }>(rows: readonly R[]) {
  const found: { row: R; bytes: number | undefined }[] = [];
  for (const row of rows) {
    const info = await stat(onDisk(row.path)).catch(() => undefined);
    found.push({ row, bytes: info?.size });
  }
  return found;
}

/** SHA-256 of a file's bytes; what cannot be read is like no other. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(onDisk(path)), hash);
    return hash.digest("hex");
  } catch {
    return path;
  }
}
