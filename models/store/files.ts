import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { nameOfBytes, onDisk } from "../data/files/file-name.ts";
import type { PictureReason } from "../data/pictures/picture-error.ts";

/** By which it is told that a file is as it was. */
export interface FileState {
  /** Bytes. */
  readonly size: number;
  /** Microseconds since 1970: as much as a double holds. */
  readonly changed: number;
}

/** @throws the system's error; EISDIR for a folder, ENOTFILE for what is neither and may give bytes without end */
export function fileState(path: string): FileState {
  const info = statSync(onDisk(path), { bigint: true });
  if (!info.isFile())
    throw Object.assign(new Error("it is no file"), { code: info.isDirectory() ? "EISDIR" : "ENOTFILE" });
  const { size, mtimeNs } = info;
  return { size: Number(size), changed: Number(mtimeNs / 1000n) };
}

export function sameState(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.changed === b.changed;
}

/** Clocks of file systems step by up to 2 s (FAT): a later change within a step would leave size and time as they are. */
const clockStepMs = 2000;

/** Whether a change from now on would be seen by the time of the file. */
export function timeTells({ changed }: FileState): boolean {
  return Date.now() - changed / 1000 > clockStepMs;
}

const lasting: readonly PictureReason[] = ["empty", "not-a-picture", "truncated", "damaged", "unsupported", "no-score"];

/** Whether an error is of the content: the same bytes have it again. */
export function isLasting(reason: PictureReason): boolean {
  return lasting.includes(reason);
}

/** SHA-256 of a file. @throws the system's error; the signal's reason */
export async function contentHash(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(onDisk(path)), hash, ...(signal ? [{ signal }] : []));
  return new Uint8Array(hash.digest());
}

/** What is no file of this machine, such as a picture of the web: known by its address as it is. */
const isAddress = (path: string) => /^(?:https?|s3):\/\//i.test(path);

/** The bytes by which a file is known, from the root on. */
export function pathKey(path: string): Uint8Array {
  return new Uint8Array(Buffer.from(onDisk(isAddress(path) ? path : resolve(path)) as string));
}

/** The path that such bytes are. */
export function pathOfKey(key: Uint8Array): string {
  return nameOfBytes(key);
}
