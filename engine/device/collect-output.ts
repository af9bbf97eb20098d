import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Keeps what is written to standard output (1) or error (2) of the process, by native code too; the returned function ends that and
 * gives the text. Two collections of one descriptor must not overlap unless the later one ends first. Where the runtime cannot (Node and Deno have no calls to the C library), everything is written as ever and the text
 * is empty.
 */
export async function collectOutput(descriptor: 1 | 2): Promise<() => string> {
  if (!process.versions["bun"] || !["linux", "darwin"].includes(process.platform)) return () => "";
  const { dlopen } = await import("bun:ffi");
  const integer = "i32" as const;
  const { symbols } = dlopen(process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6", {
    dup: { args: [integer], returns: integer },
    dup2: { args: [integer, integer], returns: integer },
  });
  const file = await scratchFile();
  if (file === undefined) return () => "";
  const saved = symbols.dup(descriptor);
  symbols.dup2(file, descriptor);
  return () => {
    symbols.dup2(saved, descriptor);
    closeSync(saved);
    const text = textOf(file);
    closeSync(file);
    return text;
  };
}

/** A file without a name; undefined where there is no place for one. On Linux it needs none. */
async function scratchFile(): Promise<number | undefined> {
  if (process.platform === "linux") {
    const { dlopen } = await import("bun:ffi");
    const { symbols, close } = dlopen("libc.so.6", { memfd_create: { args: ["cstring", "u32"], returns: "i32" } });
    const file = symbols.memfd_create(Buffer.from("output\0"), 0);
    close();
    return file < 0 ? undefined : file;
  }
  try {
    const folder = mkdtempSync(join(tmpdir(), "acutance-output-"));
    const file = openSync(join(folder, "text"), "w+");
    rmSync(folder, { recursive: true });
    return file;
  } catch {
    return undefined;
  }
}

function textOf(file: number): string {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const piece = Buffer.alloc(1 << 16);
    const length = readSync(file, piece, 0, piece.length, at);
    if (length === 0) return Buffer.concat(pieces).toString("utf8");
    pieces.push(piece.subarray(0, length));
    at += length;
  }
}
