import { lstatSync, readFileSync, readlinkSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { nameOfBytes, onDisk, printable } from "../../data/files/file-name.ts";
import { reasonOf } from "../../data/files/reason-of.ts";
import { isThere, isUnchanged, moveFile, type PlaceMode, type Step, undoHeader } from "./step.ts";

const headerForm = z.object({
  acutance: z.literal(undoHeader.acutance),
  version: z.literal(undoHeader.version),
  mode: z.enum(["move", "link", "copy"]),
});
const stepForm = z.object({ from: z.string(), to: z.string(), size: z.number(), modifiedMs: z.number() });
const folderForm = z.object({ folder: z.string() });

/** An undo file cannot be used; the message says why. */
export class UndoError extends Error {
  override name = "UndoError";
}

export interface Undone {
  readonly restored: number;
  /** What stays where it is, and why; these steps are still in the undo file. */
  readonly refused: readonly { readonly path: string; readonly why: string }[];
}

/**
 * Puts back what `placeFiles` did, the latest first. What has changed since stays where it is. When all is back, folders that were made and are empty go, and the
 * undo file with them; else it keeps the steps that are left.
 * @throws UndoError when the file cannot be read, or is none of these
 */
export function undoPlaces(file: string, onStep: () => void = () => {}): Undone {
  const { mode, steps, folders } = readUndo(file);
  const refused: { path: string; why: string }[] = [];
  const left: Step[] = [];
  let restored = 0;
  for (const step of steps.toReversed()) {
    try {
      if (back[mode](step)) restored++;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const words = code ? reasonOf(error) : message;
      refused.push({ path: step.to, why: `${words.charAt(0).toUpperCase()}${words.slice(1)}.` });
      left.unshift(step);
    }
    onStep();
  }
  if (left.length > 0) {
    const lines = [{ ...undoHeader, mode }, ...folders.map((folder) => ({ folder })), ...left];
    writeFileSync(onDisk(file), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return { restored, refused };
  }
  rmSync(onDisk(file));
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(onDisk(folder));
    } catch {
      // Something else is in it by now.
    }
  }
  return { restored, refused };
}

/** How many files an undo file has. @throws UndoError as {@link undoPlaces} */
export function undoSteps(file: string): number {
  return readUndo(file).steps.length;
}

function readUndo(file: string): { mode: PlaceMode; steps: Step[]; folders: string[] } {
  let text: string;
  try {
    text = readFileSync(onDisk(file), "utf8");
  } catch (error) {
    throw new UndoError(`the undo file ${printable(file)} cannot be read: ${reasonOf(error)}`);
  }
  const wrong = () =>
    new UndoError(
      `${printable(file)} is no undo file of \`acutance cull\`; it is named undo-….jsonl in the folder of --move, --link or --copy`,
    );
  // A line that was being written when the process ended was not carried out.
  const lines = text.split("\n");
  lines.pop();
  const values = lines.map((line) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw wrong();
    }
  });
  const header = headerForm.safeParse(values[0]);
  if (!header.success) throw wrong();
  const steps: Step[] = [];
  const folders: string[] = [];
  for (const value of values.slice(1)) {
    const step = stepForm.safeParse(value);
    const folder = folderForm.safeParse(value);
    if (step.success) steps.push(step.data);
    else if (folder.success) folders.push(folder.data.folder);
    else throw wrong();
  }
  return { mode: header.data.mode, steps, folders };
}

/** Undoes a step: true when there was something to undo. @throws Error when it must not be undone */
const back: Readonly<Record<PlaceMode, (step: Step) => boolean>> = {
  move(step) {
    const { from, to } = step;
    const info = lstatSync(onDisk(to), { throwIfNoEntry: false });
    if (!info) {
      if (isThere(from)) return false;
      throw new Error("it is no longer there");
    }
    if (!isUnchanged(info, step)) throw new Error("it has changed since it was moved");
    if (isThere(from)) {
      const own = lstatSync(onDisk(from));
      // Two names of one file: the step was interrupted.
      if (own.ino !== info.ino || own.dev !== info.dev) throw new Error(`there is another file ${printable(from)} now`);
      unlinkSync(onDisk(to));
      return true;
    }
    moveFile(to, from, step);
    return true;
  },
  link({ from, to }) {
    const info = lstatSync(onDisk(to), { throwIfNoEntry: false });
    if (!info) return false;
    if (!info.isSymbolicLink() || nameOfBytes(readlinkSync(onDisk(to), { encoding: "buffer" })) !== from) {
      throw new Error("it is no longer the link that was made");
    }
    unlinkSync(onDisk(to));
    return true;
  },
  copy(step) {
    const info = lstatSync(onDisk(step.to), { throwIfNoEntry: false });
    if (!info) return false;
    if (!isUnchanged(info, step)) throw new Error("it has changed since it was copied");
    const own = lstatSync(onDisk(step.from), { throwIfNoEntry: false });
    if (!own || own.size !== step.size) throw new Error("the picture that it is a copy of is no longer there");
    unlinkSync(onDisk(step.to));
    return true;
  },
};
