import { constants, copyFileSync, linkSync, lstatSync, renameSync, type Stats, unlinkSync, utimesSync } from "node:fs";
import { onDisk, printable } from "../../data/files/file-name.ts";

/** A file and where it goes; both paths are absolute. */
export interface Step {
  readonly from: string;
  readonly to: string;
  readonly size: number;
  readonly modifiedMs: number;
}

export type PlaceMode = "move" | "link" | "copy";

/** First line of an undo file. */
export const undoHeader = { acutance: "cull undo", version: 1 } as const;

/** Clocks of some disks go in steps of two seconds. */
const clockMs = 2000;

/** Whether a file is as it was. */
export function isUnchanged(info: Stats, { size, modifiedMs }: Pick<Step, "size" | "modifiedMs">): boolean {
  return info.isFile() && info.size === size && Math.abs(info.mtimeMs - modifiedMs) <= clockMs;
}

export function isThere(path: string): boolean {
  return lstatSync(onDisk(path), { throwIfNoEntry: false }) !== undefined;
}

/** No system call moves a file and refuses to write over another; a second name does. */
const cannotLink: ReadonlySet<string> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
  "EINVAL",
  "EACCES",
]);

/** Moves a file, to another disk by a copy. @throws where `to` is taken */
export function moveFile(from: string, to: string, step: Pick<Step, "size" | "modifiedMs">): void {
  try {
    linkSync(onDisk(from), onDisk(to));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EXDEV") copyFile(from, to, step);
    else if (cannotLink.has(code)) {
      if (isThere(to)) throw new Error(`there is a file ${printable(to)} now`);
      renameSync(onDisk(from), onDisk(to));
      return;
    } else throw error;
  }
  try {
    unlinkSync(onDisk(from));
  } catch (error) {
    // It may not leave its folder: not two of it, either.
    unlinkSync(onDisk(to));
    throw error;
  }
}

/** Copies a file with its time of modification. @throws where `to` is taken */
export function copyFile(from: string, to: string, { size, modifiedMs }: Pick<Step, "size" | "modifiedMs">): void {
  copyFileSync(onDisk(from), onDisk(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const { size: copied } = lstatSync(onDisk(to));
  if (copied !== size) {
    unlinkSync(onDisk(to));
    throw new Error(`of its ${size} bytes ${copied} were copied`);
  }
  utimesSync(onDisk(to), modifiedMs / 1000, modifiedMs / 1000);
}
