import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { printable } from "../models/data/files/file-name.ts";

/** A result that has no place; the message names the file and says what to do. */
export class OutputError extends Error {
  override name = "OutputError";
}

/** Where a command writes a result: a file that is tried before the work starts, or standard output. */
export interface Output {
  /** Writes in place of what was there before: the first call, or every one. */
  replace(text: string): void;
  /** Writes behind what this process has written; the first call replaces what was there before. */
  append(text: string): void;
}

/**
 * The file that an option names. Nothing in it changes until something is written.
 * @throws OutputError when it cannot be written: no such folder, a folder of this name, no permission
 */
export function outputFile(path: string, option: string): Output {
  const failed = (error: unknown) => new OutputError(`${option} ${printable(path)}: ${whyNot(error, path, option)}`);
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw failed(error);
    }
  };
  const { target, atomically } = attempt(() => tried(path));
  let file: number | undefined;
  return {
    replace: (text) =>
      attempt(() => {
        if (atomically) replaceFile(target, text);
        else withFile(target, "w", (opened) => writeAll(opened, text));
      }),
    append: (text) =>
      attempt(() => {
        file ??= openSync(target, "w");
        writeAll(file, text);
      }),
  };
}

/**
 * Makes the folder that an option names, if need be, and tries it.
 * @throws OutputError when nothing can be written there
 */
export function outputFolder(path: string, option: string): void {
  const trial = join(path, temporaryName());
  try {
    mkdirSync(path, { recursive: true });
    withFile(trial, "wx", () => {});
    rmSync(trial);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isFile = code === "EEXIST" || code === "ENOTDIR";
    const why = isFile ? `it is a file, or lies below one; name a folder with ${option}` : whyNot(error, trial, option);
    throw new OutputError(`${option} ${printable(path)}: ${why}`);
  }
}

/** The descriptor of what counts as standard output; `printingAside` makes it that of standard error. */
export const printed = { file: 1 };

/** Standard output. Text is out when a call returns, also when the process ends right after it. */
export const standardOutput: Output = {
  replace: (text) => standardOutput.append(text),
  append(text) {
    try {
      writeAll(printed.file, text);
    } catch (error) {
      // A reader that has seen enough (`acutance … | head`) is no failure.
      if ((error as NodeJS.ErrnoException).code === "EPIPE") process.exit(0);
      throw new OutputError(`standard output: ${whyNot(error, "", "")}`);
    }
  },
};

/** Where the file is, and whether it can be replaced at once by a new one under its name. */
function tried(path: string): { target: string; atomically: boolean } {
  if (path === "") throw new Error("a file name is expected");
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory() || /[/\\]$/.test(path)) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
  if (there?.isFIFO()) return { target: path, atomically: false }; // opening it would wait for a reader
  const target = linked(path);
  if (there) {
    withFile(target, "a", () => {});
    return { target, atomically: there.isFile() && canCreate(join(dirname(target), temporaryName())) };
  }
  withFile(target, "ax", () => {});
  rmSync(target);
  return { target, atomically: true };
}

/** The file behind links, of which the last may lead to nothing yet. */
function linked(path: string): string {
  let target = resolve(path);
  for (let links = 0; links < 40; links++) {
    try {
      target = resolve(dirname(target), readlinkSync(target));
    } catch {
      return target;
    }
  }
  return target;
}

function canCreate(path: string): boolean {
  try {
    withFile(path, "wx", () => {});
    rmSync(path);
    return true;
  } catch {
    return false;
  }
}

function temporaryName(): string {
  return `.${randomUUID()}.tmp`;
}

function replaceFile(path: string, text: string): void {
  const temporary = join(dirname(path), temporaryName());
  try {
    withFile(temporary, "wx", (file) => {
      writeAll(file, text);
      fsyncSync(file);
    });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function withFile(path: string, mode: string, work: (file: number) => void): void {
  const file = openSync(path, mode);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}

/** Writes all of it, waiting where a pipe is full. */
function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(file, bytes, done, bytes.length - done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function whyNot(error: unknown, path: string, option: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const folder = printable(dirname(path));
  const elsewhere = option && `, or name another place with ${option}`;
  switch (code) {
    case "ENOENT":
      return `there is no folder ${folder}; make it first${elsewhere}`;
    case "ENOTDIR":
      return `${folder} is a file, not a folder${elsewhere}`;
    case "EISDIR":
      return `it is a folder; name a file, such as ${printable(join(path, `result-of-${basename(resolve(path))}`))}`;
    case "EACCES":
    case "EPERM":
      return `permission to write there is denied; change it${elsewhere}`;
    case "EROFS":
      return `its disk is read-only${elsewhere}`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full; make room${elsewhere}`;
    case "ENAMETOOLONG":
      return "the name is too long; shorten it";
    default:
      return `it cannot be written: ${message}`;
  }
}
