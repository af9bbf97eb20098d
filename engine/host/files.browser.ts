import type * as system from "./files.ts";

/** Bytes that stand for files in a page, by their names. */
const files = new Map<string, Uint8Array>();

/** Lets bytes be opened as a file of this name, in place of what it named before. */
export function holdFile(name: string, bytes: Uint8Array): void {
  files.set(name, bytes);
}

/** Gives the bytes up. */
export function dropFile(name: string): void {
  files.delete(name);
}

function bytesOf(path: unknown): Uint8Array {
  const bytes = files.get(String(path));
  if (bytes) return bytes;
  throw Object.assign(new Error(`a page has no files: give the bytes of ${path}, or fetch them`), { code: "ENOENT" });
}

/** The part of node's functions that the engine and the models call, over {@link holdFile}'s bytes. */
export const readFile = (async (path: unknown, encoding?: unknown) => {
  const bytes = bytesOf(path);
  return encoding === undefined ? bytes : new TextDecoder().decode(bytes);
}) as typeof system.readFile;

export const stat = (async (path: unknown) => {
  const { length } = bytesOf(path);
  const no = () => false;
  return { size: length, isFile: () => true, isDirectory: no, isFIFO: no, isSocket: no };
}) as unknown as typeof system.stat;

export const readdir = (async () => []) as unknown as typeof system.readdir;

export const open = (async (path: unknown) => {
  const bytes = bytesOf(path);
  const close = async () => {};
  const read = async (buffer: Uint8Array, offset: number, length: number, position: number) => {
    const piece = bytes.subarray(position, position + length);
    buffer.set(piece, offset);
    return { buffer, bytesRead: piece.length };
  };
  return { read, close, stat: async () => ({ size: bytes.length }), [Symbol.asyncDispose]: close };
}) as unknown as typeof system.open;

export const filePath: typeof system.filePath = (url) => {
  throw new TypeError(
    `${url} is a file, which a page does not read: pass a Blob or File, or fetch its address and pass the Response`,
  );
};
