import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { inside } from "../engine/host/inside.ts";
import { readChoices } from "../models/culling/files/choices.ts";
import { placeFiles } from "../models/culling/files/place.ts";
import { type Choice, planPlaces } from "../models/culling/files/plan.ts";
import type { PlaceMode } from "../models/culling/files/step.ts";
import { undoPlaces, undoSteps } from "../models/culling/files/undo.ts";
import { printable } from "../models/data/files/file-name.ts";
import { OutputError, outputFolder } from "./output.ts";
import { progress } from "./terminal.ts";

/** Where files go, and how. */
export interface PlaceFlags {
  readonly move?: string;
  readonly link?: string;
  readonly copy?: string;
  readonly yes?: boolean;
}

const modes = ["move", "link", "copy"] as const satisfies readonly PlaceMode[];

export function placeOf(flags: PlaceFlags): { mode: PlaceMode; folder: string } | undefined {
  const mode = modes.find((one) => flags[one] !== undefined);
  return mode && { mode, folder: flags[mode]! };
}

/** @throws OutputError when files could not be put there */
export function tryPlace(flags: PlaceFlags): void {
  const place = placeOf(flags);
  if (!place || !flags.yes) return;
  // A folder that is made now would not be known to be undone.
  let folder = resolve(place.folder);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  outputFolder(folder, `--${place.mode}`);
}

/** Steps that a dry run shows at most. */
const shownSteps = 20;

const doing = { move: "moving", link: "linking", copy: "copying" } as const;
const done = { move: "moved", link: "linked", copy: "copied" } as const;

/** Puts pictures and what goes along with them into folders, or says what it would do. */
export async function placeChoices(choices: readonly Choice[], roots: readonly string[], flags: PlaceFlags) {
  const place = placeOf(flags);
  if (!place || choices.length === 0) return;
  const { mode, folder } = place;
  const { steps, left } = await planPlaces(choices, { folder, roots });
  for (const { path, why } of left) console.error(`stays: ${printable(path)}: ${why}`);
  if (left.length > 0) process.exitCode = 1;
  if (!flags.yes) {
    for (const { from, to } of steps.slice(0, shownSteps)) console.error(`${shown(from)} -> ${shown(to)}`);
    if (steps.length > shownSteps) console.error(`… and ${steps.length - shownSteps} more`);
    console.error(`dry run: ${steps.length} files would be ${done[mode]}, nothing is; add --yes to do it`);
    return;
  }
  const bar = progress(doing[mode], steps.length);
  try {
    const placed = placeFiles(steps, mode, folder, () => bar.advance());
    bar.stop();
    for (const { path, why } of placed.failed) console.error(`stays: ${printable(path)}: ${why}`);
    if (placed.failed.length > 0) process.exitCode = 1;
    console.error(`${placed.done} files ${done[mode]}; acutance cull --undo ${shown(placed.undoFile)} undoes it`);
  } catch (error) {
    throw new OutputError(`--${mode} ${printable(folder)}: ${(error as Error).message}`);
  } finally {
    bar.stop();
  }
}

/** A path as short as it can be named from here. */
function shown(path: string): string {
  const near = inside("", path);
  return printable(near !== undefined && near.length < path.length ? near : path);
}

/** Does what a file of choices says. */
export async function applyChoices(file: string, roots: readonly string[], flags: PlaceFlags): Promise<void> {
  const choices = readChoices(file);
  const kept = choices.filter(({ decision }) => decision === "keep").length;
  console.error(`${choices.length} choices: ${kept} kept, ${choices.length - kept} rejected`);
  await placeChoices(choices, roots, flags);
}

/** Puts back what a command did with files. */
export function undo(file: string): void {
  const bar = progress("undoing", undoSteps(file));
  try {
    const { restored, refused } = undoPlaces(file, () => bar.advance());
    bar.stop();
    for (const { path, why } of refused) console.error(`stays: ${printable(path)}: ${why}`);
    console.error(`${restored} files are back`);
    if (refused.length === 0) return;
    console.error(`${refused.length} files stay; mend that, then try again: ${printable(file)} has what is left to do`);
    process.exitCode = 1;
  } finally {
    bar.stop();
  }
}
