import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import type { z } from "zod";
import { readFile } from "../host/files.ts";

/** A file that cannot be read or written, or is not what it should be: names it, says what is wrong and what to do. */
export class FileError extends Error {
  override name = "FileError";
  /** The system's code, such as ENOSPC; undefined when the content is at fault. */
  readonly code: string | undefined;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = (options?.cause as NodeJS.ErrnoException | undefined)?.code;
  }
}

/** What a code of the system means for a file, and what to do. */
const codes: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  ENOTDIR: "a part of its path is a file, not a folder; check the path",
  EISDIR: "it is a folder, a file is expected; check the path",
  EACCES: "permission is denied; change its owner or mode, or use another place",
  EPERM: "permission is denied; change its owner or mode, or use another place",
  ENOSPC: "the disk is full; free some space, or use another place",
  EDQUOT: "the quota of disk space is used up; free some space, or use another place",
  EROFS: "the file system is read-only; use another place",
  EFBIG: "it would be larger than the file system allows; use another place",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  ENFILE: "too many files are open on this system; close some programs",
  ENAMETOOLONG: "its name is too long; use a shorter one",
  ELOOP: "its links lead in a circle; mend them",
  EIO: "the disk or the network failed; see that it works, and try again",
  ESTALE: "the network's file system lost it; try again",
  EBUSY: "another program holds it; close that, and try again",
  EEXIST: "something of this name is there already; remove it, or use another place",
};

/** Why a file could not be read or written, as one sentence with its path and what to do. */
export function fileSentence(path: string, error: unknown, doing: "read" | "written"): string {
  if (error instanceof FileError) return error.message;
  const { code, message = String(error) } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const why = code === undefined ? undefined : codes[code];
  if (why === undefined) return `${path} cannot be ${doing}: ${message}`;
  return `${path} cannot be ${doing} (${code}): ${why}`;
}

/** The error of the system for a file, as a {@link FileError}; errors of another kind stay what they are. */
export function fileError(path: string, error: unknown, doing: "read" | "written"): Error {
  if (error instanceof FileError || typeof (error as NodeJS.ErrnoException)?.code !== "string") return error as Error;
  return new FileError(fileSentence(path, error, doing), { cause: error });
}

/** Runs work on a file; errors of the system come as {@link FileError}. */
export async function onFile<T>(path: string, doing: "read" | "written", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(path, error, doing);
  }
}

/** @throws FileError when the file cannot be read */
export function readBytes(path: string): Promise<Uint8Array> {
  return onFile(path, "read", () => readFile(path));
}

/** @throws FileError when the file cannot be read */
export function readText(path: string): Promise<string> {
  return onFile(path, "read", () => readFile(path, "utf8"));
}

/**
 * The value of a JSON text.
 * @param source names the file or the part of one in errors
 * @throws FileError with the place of the fault
 */
export function jsonOf(text: string, source: string): unknown {
  if (text.trim() === "") throw new FileError(`${source} is no JSON: it is empty. ${again}`);
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    const at = errors[0]?.offset ?? text.length;
    const before = text.slice(0, at).split("\n");
    const what = errors[0] ? ` (${printParseErrorCode(errors[0].error)})` : "";
    throw new FileError(
      `${source} is no JSON: it is damaged at line ${before.length}, column ${before.at(-1)!.length + 1}${what}. ${again}`,
    );
  }
}

/**
 * Reads a JSON file and checks its form.
 * @throws FileError when it cannot be read, is no JSON or not of this form
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return checked(jsonOf(await readText(path), path), path, schema);
}

/** @throws FileError naming what is not of its form */
export function checked<T>(value: unknown, source: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const shown = issues.slice(0, 3).map(({ path, message }) => `${path.join(".") || "the whole"}: ${message}`);
  const more = issues.length > shown.length ? `; and ${issues.length - shown.length} more` : "";
  throw new FileError(`${source} is damaged, or of another kind: ${shown.join("; ")}${more}. ${again}`);
}

const again = "Take it from a copy, or make it again.";
