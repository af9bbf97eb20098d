import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import type { Row } from "../dataset.ts";
import { DatasetError } from "../problems.ts";
import { degradedTable, readCopies, severityOfCopy } from "./degraded-table.ts";

/** A picture of a ranked set. */
export interface RankedPicture extends Row {
  /** How much of a distortion it has: 0 (none) … 5 (strong), by severity where levels of KADID-10k are not in that order. */
  readonly level: number;
}

/** Copies of one picture with one distortion at rising levels: the best comes first. No two have the same level. */
export interface RankedSet<Picture extends RankedPicture = RankedPicture> {
  /** Path of the picture below the folder that was degraded. */
  readonly source: string;
  readonly pictures: readonly Picture[];
}

/**
 * The ranked sets (Liu, van de Weijer & Bagdanov, "RankIQA", 2017) of a folder of degraded copies.
 * @param folder as `degradeFolder` left it, or one of such folders
 * @returns pictures named ranked/…, wherever the folder is; copies that are alone of their kind and picture are left out
 * @throws DatasetError when the folder has no table of copies, a level is none, or there is nothing to rank
 */
export async function rankedSets(folder: string): Promise<RankedSet[]> {
  const ranked: RankedSet[] = [];
  for (const part of await foldersOfCopies(folder)) ranked.push(...(await setsOf(folder, part)));
  if (ranked.length === 0) {
    throw new DatasetError(
      `${join(folder, degradedTable)} has no picture at two levels of one distortion: there is nothing to rank; make copies with acutance data degrade --ranked.`,
    );
  }
  return ranked;
}

/** The folder itself, "", or the names of those in it, where it has no table and they do. */
async function foldersOfCopies(folder: string): Promise<string[]> {
  const hasTable = (name: string) =>
    stat(join(folder, name, degradedTable)).then(
      () => true,
      () => false,
    );
  if (await hasTable("")) return [""];
  const names = await readdir(folder).catch(() => []);
  const parts: string[] = [];
  for (const name of names.sort()) if (await hasTable(name)) parts.push(name);
  return parts.length > 0 ? parts : [""];
}

async function setsOf(whole: string, part: string): Promise<RankedSet[]> {
  const folder = join(whole, part);
  const path = join(folder, degradedTable);
  const lines = await readCopies(path).catch((cause: Error) => {
    throw new DatasetError(`${folder} is no folder of degraded copies (acutance data degrade): ${cause.message}`, {
      cause,
    });
  });
  const copies = lines.flatMap((copy) => {
    const { name, source, kind, level, line } = copy;
    const severity = severityOfCopy(copy);
    if (severity === undefined)
      throw new DatasetError(
        `${path}, line ${line}: the level "${level}" of ${name} is none; it must be one of 0 to 5.`,
      );
    // A level at which nothing is changed is not worse than the picture.
    if (name === "" || source === "" || (severity === 0 && kind !== "none")) return [];
    return [
      {
        source,
        kind,
        picture: { name: `ranked/${part && `${part}/`}${name}`, path: join(folder, name), level: severity },
      },
    ];
  });
  const sets = [...Map.groupBy(copies, ({ source }) => source)].flatMap(([source, all]) => {
    const clean = all.filter(({ picture }) => picture.level === 0);
    const kinds = Map.groupBy(
      all.filter(({ picture }) => picture.level > 0),
      ({ kind }) => kind,
    );
    return [...kinds.values()].map((degraded) => {
      const pictures = [...clean, ...degraded].map(({ picture }) => picture);
      return { source, pictures: pictures.sort((a, b) => a.level - b.level) };
    });
  });
  return sets.filter(({ pictures }) => pictures.length > 1);
}

/**
 * The sets whose picture is none that is held out. A source is taken for a picture of its name, and for any whose path ends
 * with it: the folder that was degraded may be that of the data set, one above or one below it.
 * @param heldOut validation and test pictures
 */
export function withoutCopiesOf<Each extends RankedSet>(sets: readonly Each[], heldOut: readonly Row[]): Each[] {
  const known = new Set(heldOut.flatMap(({ name, path }) => [name, ...tails(resolve(path).split(sep))]));
  return sets.filter(({ source }) => !known.has(source));
}

/** The last part of a path, the last two, and so on. */
function tails(parts: readonly string[]): string[] {
  return parts.map((_, i) => parts.slice(i).join("/"));
}
