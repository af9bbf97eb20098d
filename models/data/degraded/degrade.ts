import { mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import sharp from "sharp";
import { expectNames } from "../../../engine/arguments.ts";
import type { Device } from "../../../engine/device/device.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { inside } from "../../../engine/host/inside.ts";
import { Random } from "../../../engine/random.ts";
import { ShapeError } from "../../../engine/tensor.ts";
import { writeFileAtomically } from "../../../engine/weights/atomic.ts";
import { loadFolder } from "../dataset.ts";
import { decode, type Picture } from "../pictures/decode.ts";
import { PictureError } from "../pictures/picture-error.ts";
import { reduced } from "../pictures/resample.ts";
import { prefetch } from "../prefetch.ts";
import { DatasetError, type Problem } from "../problems.ts";
import { degradedTable, madeAs, readCopies, writeCopies, writeSetTable } from "./degraded-table.ts";
import {
  type DistortionName,
  distort,
  distortionNames,
  expectDistortion,
  fromBytes,
  toBytes,
  usualDistortions,
} from "./distortions.ts";
import { type DegradedLayout, type DegradedPicture, degradedLayouts, levelSetOf, plan } from "./plan.ts";
import { tonedPicture } from "./toned.ts";

/** What {@link degradeFolder} makes. */
export interface DegradeOptions {
  /**
   * `kadid`: a set like KADID-10k, every kind at every level and the pictures themselves in images/, called I01.png and
   * I01_<type>_<level>.png, and kadid.csv. `kadis`: a set like KADIS-700k, one kind for each picture at every level in dist_imgs/,
   * the pictures themselves in ref_imgs/, and its table. Both at the levels of KADID-10k. `copies`: as drawn, at the distortions' own
   * levels.
   * @default "copies"
   */
  readonly layout?: DegradedLayout;
  /** As of `distort`. @default false */
  readonly stretch?: boolean;
  /** Any of the 25. @default the seven of `usualDistortions`; of kadid and kadis all */
  readonly kinds?: readonly DistortionName[];
  /** Of 1 (mild) … 5 (strong), in KADID-10k's order where they are its. @default all five */
  readonly levels?: readonly number[];
  /**
   * Copies of each picture, different pairs of kind and level drawn from the seed; as many as there are pairs make all. Of
   * ranked copies: kinds of each picture. Not of kadid and kadis. @default 5, of ranked copies 1
   */
  readonly perPicture?: number;
  /**
   * Copies to be ranked: of each kind that is drawn two levels that follow one another, and the picture itself as level 0
   * beside them. Sets like KADID-10k and KADIS-700k can be ranked as they are. @default false
   */
  readonly ranked?: boolean;
  /** Share of the pictures that are first made to look like faded prints ({@link tonedPicture}). @default 0 */
  readonly toned?: number;
  /** @default 1 */
  readonly seed?: number;
  /**
   * Larger pictures are first reduced until their longer side has so many pixels; 0 keeps their size. Distortions are measured
   * in pixels: on a picture of many that is reduced for the network afterwards they would not be seen. @default 512
   */
  readonly longerSide?: number;
  /** Both without loss. @default "png" */
  readonly format?: "png" | "webp";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export { degradedTable } from "./degraded-table.ts";
export type { DegradedLayout, DegradedPicture } from "./plan.ts";

export interface Degraded {
  /** Every copy that is there now and was asked for. */
  readonly pictures: readonly DegradedPicture[];
  /** How many of them were there before. */
  readonly kept: number;
  /** Pictures that could not be degraded. */
  readonly problems: readonly Problem[];
}

/**
 * Writes degraded copies of the pictures of a folder, and a table of name, source, kind, level and how they were made. What a copy looks like depends on these but its own name alone, so that a run that was interrupted is finished by the
 * same call: files that are there are not made again. Pictures that cannot be read are reported and passed over.
 * @param out is made when it does not exist
 * @throws DatasetError when there are no pictures, `out` lies within the folder, or it holds copies that were made otherwise;
 * RangeError for an option that means nothing; the signal's reason; the system's error when a file cannot be written
 */
export async function degradeFolder(
  device: Device,
  folder: string,
  out: string,
  options: DegradeOptions = {},
): Promise<Degraded> {
  const settings = checked(options);
  if (resolve(folder) === resolve(out) || inside(folder, resolve(out)) !== undefined) {
    throw new DatasetError(
      `The copies cannot lie within ${folder}, or they would be degraded again; give another folder.`,
    );
  }
  const { rows, problems: leftOut } = await loadFolder(folder);
  const planned = plan(
    rows.map(({ name }) => name),
    settings,
  );
  await mkdir(out, { recursive: true });
  const before = await readTable(out, settings);
  const table = new Map(before.map((picture) => [picture.name, picture]));
  for (const picture of planned) {
    const { source = picture.source } = table.get(picture.name) ?? {};
    if (source !== picture.source)
      throw new DatasetError(
        `${join(out, picture.name)} is there and was made of ${source}, not of ${picture.source}: pictures came or went since; give another folder.`,
      );
    table.set(picture.name, picture);
  }
  await writeCopies(out, table.values(), settings);
  const there = new Set<string>();
  for (const { name } of planned) if (await exists(join(out, name))) there.add(name);

  const paths = new Map(rows.map(({ name, path }) => [name, path]));
  const missing = Map.groupBy(
    planned.filter(({ name }) => !there.has(name)),
    ({ source }) => source,
  );
  const problems: Problem[] = [...leftOut];
  let done = there.size;
  options.onProgress?.(done, planned.length);
  const load = async ([source]: [string, DegradedPicture[]]) => {
    const picture = await reduced(await decode(paths.get(source)!), settings.longerSide);
    const random = new Random(settings.seed, `toned/${source}`);
    return random.uniform() < settings.toned ? tonedPicture(picture, random) : picture;
  };
  const signal = options.signal && { signal: options.signal };
  for await (const loaded of prefetch(missing, load, { ahead: 4, concurrency: 3, ...signal })) {
    const [source, copies] = loaded.item;
    try {
      if (!loaded.ok) throw loaded.error;
      await degrade(device, loaded.value, copies, out, settings);
    } catch (error) {
      device.check();
      if (!(error instanceof PictureError || error instanceof OutOfMemoryError || error instanceof ShapeError))
        throw error;
      problems.push({ kind: "picture", name: source, detail: error.message });
      for (const { name } of copies) table.delete(name);
    }
    done += copies.length;
    options.onProgress?.(done, planned.length);
  }
  if (problems.length > leftOut.length) await writeCopies(out, table.values(), settings);
  await writeSetTable(out, [...table.values()], settings.layout);
  return { pictures: planned.filter(({ name }) => table.has(name)), kept: there.size, problems };
}

const names = {
  layout: true,
  stretch: true,
  kinds: true,
  levels: true,
  perPicture: true,
  ranked: true,
  toned: true,
  seed: true,
  longerSide: true,
  format: true,
  onProgress: true,
  signal: true,
} satisfies Record<keyof DegradeOptions, true>;

type Settings = Required<Omit<DegradeOptions, "onProgress" | "signal">>;

function checked(options: DegradeOptions): Settings {
  expectNames("degradeFolder", options, names);
  const { layout = "copies", stretch = false, ranked = false, toned = 0, seed = 1 } = options;
  const { kinds = layout === "copies" ? usualDistortions : distortionNames, levels = [1, 2, 3, 4, 5] } = options;
  const { perPicture = ranked ? 1 : 5, longerSide = 512, format = "png" } = options;
  if (!degradedLayouts.includes(layout))
    throw new RangeError(`There is no layout ${JSON.stringify(layout)}; choose of ${degradedLayouts.join(", ")}.`);
  if (layout !== "copies" && (ranked || options.perPicture !== undefined))
    throw new RangeError(
      `ranked and perPicture are not for the layout ${layout}: what it has of each picture is settled.`,
    );
  for (const kind of kinds) expectDistortion(kind);
  for (const level of levels) {
    if (![1, 2, 3, 4, 5].includes(level)) throw new RangeError(`There is no level ${level}; there are 1 to 5.`);
  }
  if (kinds.length === 0 || levels.length === 0) throw new RangeError("Give at least one kind and one level.");
  for (const [name, value, least] of [
    ["perPicture", perPicture, 1],
    ["longerSide", longerSide, 0],
  ] as const) {
    if (!(Number.isInteger(value) || value === Number.POSITIVE_INFINITY) || value < least)
      throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}.`);
  }
  if (!(toned >= 0 && toned <= 1)) throw new RangeError(`toned is a share from 0 to 1, got ${toned}.`);
  const different = { kinds: [...new Set(kinds)], levels: [...new Set(levels)].sort() };
  return { ...different, layout, stretch, perPicture, ranked, toned, seed, longerSide, format };
}

async function degrade(
  device: Device,
  { width, height, pixels }: Picture,
  copies: readonly DegradedPicture[],
  out: string,
  { seed, format, layout, stretch }: Settings,
): Promise<void> {
  using clean = fromBytes(device, pixels, height, width);
  const changed = async ({ source, kind, level }: DegradedPicture) => {
    if (kind === "none") return pixels;
    const word = new Random(seed, `degrade/${source}/${kind}/${level}`).word();
    using degraded = await distort(clean, kind, level, word, { levels: levelSetOf(layout), stretch });
    return toBytes(degraded);
  };
  for (const copy of copies) {
    const { name } = copy;
    const bytes = await changed(copy);
    const image = sharp(bytes, { raw: { width, height, channels: 3 } });
    const file = await (format === "png" ? image.png() : image.webp({ lossless: true })).toBuffer();
    await mkdir(dirname(join(out, name)), { recursive: true });
    await writeFileAtomically(join(out, name), file);
  }
}

/** Copies that were made earlier and are still there. @throws DatasetError when they were made otherwise */
async function readTable(out: string, settings: Settings): Promise<DegradedPicture[]> {
  const path = join(out, degradedTable);
  if (!(await stat(path).catch(() => undefined))) return [];
  const rows = await readCopies(path);
  const found: DegradedPicture[] = [];
  const asked = madeAs(settings);
  for (const row of rows) {
    const was = madeAs({ ...row, longerSide: row.longer_side });
    if (was !== asked)
      throw new DatasetError(`${out} holds copies of ${was}, asked for is ${asked}; give the same or another folder.`);
    const { name, source, kind, level } = row;
    if (name && (await exists(join(out, name))))
      found.push({ name, source, kind: kind as DegradedPicture["kind"], level: Number(level) });
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
