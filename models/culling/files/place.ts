import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { onDisk, printable } from "../../data/files/file-name.ts";
import { reasonOf } from "../../data/files/reason-of.ts";
import { copyFile, isThere, isUnchanged, moveFile, type PlaceMode, type Step, undoHeader } from "./step.ts";

export interface Placed {
  readonly done: number;
  readonly failed: readonly { readonly path: string; readonly why: string }[];
  /** File that {@link undoPlaces} takes. */
  readonly undoFile: string;
}

/**
 * Moves, links (symbolically) or copies files as planned. Each step is written to the undo file before it is done, so that one which is interrupted can be undone, too. Nothing is ever
 * written over; a file that has changed since the plan stays.
 * @param folder where the undo file comes
 * @throws Error when the folder, or the undo file, cannot be made
 */
export function placeFiles(
  steps: readonly Step[],
  mode: PlaceMode,
  folder: string,
  onStep: () => void = () => {},
): Placed {
  const made: string[] = [];
  makeFolder(folder, made);
  const undoFile = newUndoFile(folder);
  const file = openSync(onDisk(undoFile), "wx");
  const write = (line: object) => writeSync(file, `${JSON.stringify(line)}\n`);
  const failed: { path: string; why: string }[] = [];
  let done = 0;
  try {
    write({ ...undoHeader, mode });
    for (const made_ of made) write({ folder: made_ });
    fsyncSync(file);
    for (const step of steps) {
      try {
        expectAsPlanned(step);
        const folders: string[] = [];
        makeFolder(dirname(step.to), folders);
        for (const own of folders) write({ folder: own });
        write(step);
        put[mode](step);
        done++;
      } catch (error) {
        failed.push({ path: step.from, why: whyNot(error) });
      }
      onStep();
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { done, failed, undoFile };
}

function newUndoFile(folder: string): string {
  const stamp = new Date()
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replaceAll(/[-:]/g, "")
    .replace("T", "-");
  for (let copy = 1; ; copy++) {
    const path = join(folder, `undo-${stamp}${copy === 1 ? "" : `-${copy}`}.jsonl`);
    if (!isThere(path)) return path;
  }
}

/** Makes a folder and those above it; those that were made are put in front of which they lie in. */
function makeFolder(folder: string, made: string[]): void {
  if (isThere(folder)) return;
  makeFolder(dirname(folder), made);
  try {
    mkdirSync(onDisk(folder));
    made.push(folder);
  } catch (error) {
    // Another process was sooner.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function expectAsPlanned(step: Step): void {
  const info = lstatSync(onDisk(step.from));
  if (!isUnchanged(info, step)) throw new Error("it has changed meanwhile");
  if (isThere(step.to)) throw new Error(`there is a file ${printable(step.to)} now`);
}

const put: Readonly<Record<PlaceMode, (step: Step) => void>> = {
  move(step) {
    moveFile(step.from, step.to, step);
  },
  link({ from, to }) {
    symlinkSync(onDisk(from), onDisk(to));
  },
  copy(step) {
    copyFile(step.from, step.to, step);
  },
};

function whyNot(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC") return "The disk is full.";
  const words = code ? reasonOf(error) : message;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
