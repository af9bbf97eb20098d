import { mkdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { stringify } from "csv-stringify/sync";
import sharp from "sharp";
import { expectNames } from "../../../engine/arguments.ts";
import type { Device } from "../../../engine/device/device.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { Random } from "../../../engine/random.ts";
import { ShapeError } from "../../../engine/tensor.ts";
import { writeFileAtomically } from "../../../engine/weights/atomic.ts";
import { loadFolder } from "../dataset.ts";
import { decode, type Picture } from "../pictures/decode.ts";
import { PictureError } from "../pictures/picture-error.ts";
import { prefetch } from "../prefetch.ts";
import { DatasetError, type Problem } from "../problems.ts";
import { readCopies } from "./degraded-table.ts";
import { type DistortionName, distort, expectDistortion, fromBytes, toBytes, usualDistortions } from "./distortions.ts";
import { tonedPicture } from "./toned.ts";

/** What {@link degradeFolder} makes. */
export interface DegradeOptions {
  /** Any of the 25. @default the seven of `usualDistortions` */
  readonly kinds?: readonly DistortionName[];
  /** Of 1 (mild) … 5 (strong). @default all five */
  readonly levels?: readonly number[];
  /**
   * Copies of each picture, different pairs of kind and level drawn from the seed; as many as there are pairs make all. Of
   * ranked copies: kinds of each picture. @default 5, of ranked copies 1
   */
  readonly perPicture?: number;
  /**
   * Copies to be ranked: of each kind that is drawn two levels that follow one another, and the picture itself as level 0
   * beside them. @default false
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

/** A degraded copy, a row of the table. */
export interface DegradedPicture {
  /** Path of the file below the folder of the copies. */
  readonly name: string;
  /** Path of the picture below its folder. */
  readonly source: string;
  /** "none" at level 0. */
  readonly kind: DistortionName | "none";
  readonly level: number;
}

export interface Degraded {
  /** Every copy that is there now and was asked for. */
  readonly pictures: readonly DegradedPicture[];
  /** How many of them were there before. */
  readonly kept: number;
  /** Pictures that could not be degraded. */
  readonly problems: readonly Problem[];
}

/** The table of the copies, in their folder. */
export const degradedTable = "degraded.csv";

/**
 * Writes degraded copies of the pictures of a folder, and a table of name, source, kind, level, seed, longer side and share
 * toned. What a copy looks like depends on these but its own name alone, so that a run that was interrupted is finished by the
 * same call: files that are there are not made again. Pictures that cannot be read are reported and passed over.
 * @param out is made when it does not exist
 * @throws DatasetError when there are no pictures, `out` lies within the folder, or it holds copies of another seed, size or share
 * toned;
 * RangeError for an option that means nothing; the signal's reason; the system's error when a file cannot be written
 */
export async function degradeFolder(
  device: Device,
  folder: string,
  out: string,
  options: DegradeOptions = {},
): Promise<Degraded> {
  const settings = checked(options);
  const within = relative(resolve(folder), resolve(out));
  if (!within.startsWith("..") && within !== resolve(out)) {
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
  const table = new Map([...before, ...planned].map((picture) => [picture.name, picture]));
  await writeTable(out, table.values(), settings);
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
  if (problems.length > leftOut.length) await writeTable(out, table.values(), settings);
  return { pictures: planned.filter(({ name }) => table.has(name)), kept: there.size, problems };
}

const names = {
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
  const { kinds = usualDistortions, levels = [1, 2, 3, 4, 5], ranked = false, toned = 0, seed = 1 } = options;
  const { perPicture = ranked ? 1 : 5, longerSide = 512, format = "png" } = options;
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
  return { ...different, perPicture, ranked, toned, seed, longerSide, format };
}

/** The copies to be made, by their sources. Draws of a picture depend on its name alone, not on the others. */
function plan(sources: readonly string[], settings: Settings): DegradedPicture[] {
  const { seed, format } = settings;
  const stem = (source: string) => source.slice(0, source.lastIndexOf("."));
  const owners = Map.groupBy(sources, stem);
  const drawn = settings.ranked ? rankedDraws : freeDraws;
  return sources.flatMap((source) => {
    // Of "a.jpg" beside "a.png" the whole name stays.
    const base = owners.get(stem(source))!.length > 1 ? source : stem(source);
    const copies = drawn(new Random(seed, `degrade/${source}`), settings);
    return copies.map(({ kind, level }) => ({ name: `${base}-${kind}-${level}.${format}`, source, kind, level }));
  });
}

type Draw = Pick<DegradedPicture, "kind" | "level">;

function freeDraws(random: Random, { kinds, levels, perPicture }: Settings): Draw[] {
  const pairs = kinds.flatMap((kind) => levels.map((level) => ({ kind, level })));
  return random.shuffle(pairs).slice(0, perPicture);
}

/** Two neighbours among 0 and the levels, for each of some kinds; 0 once. */
function rankedDraws(random: Random, { kinds, levels, perPicture }: Settings): Draw[] {
  const drawn = random.shuffle(kinds).slice(0, perPicture);
  const copies = drawn.flatMap((kind) => {
    const upper = random.integer(levels.length);
    return levels.slice(Math.max(0, upper - 1), upper + 1).map((level) => ({ kind, level }));
  });
  return [{ kind: "none", level: 0 }, ...copies];
}

/** The picture with its longer side reduced to so many pixels where it has more; 0 keeps its size. */
export function reduced(picture: Picture, longerSide: number): Promise<Picture> | Picture {
  const { width, height, pixels } = picture;
  if (longerSide === 0 || Math.max(width, height) <= longerSide) return picture;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: longerSide, height: longerSide, fit: "inside" })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .then(({ data, info }) => ({ width: info.width, height: info.height, pixels: data }));
}

async function degrade(
  device: Device,
  { width, height, pixels }: Picture,
  copies: readonly DegradedPicture[],
  out: string,
  { seed, format }: Settings,
): Promise<void> {
  using clean = fromBytes(device, pixels, height, width);
  const changed = async ({ source, kind, level }: DegradedPicture) => {
    if (kind === "none") return pixels;
    const word = new Random(seed, `degrade/${source}/${kind}/${level}`).word();
    using degraded = await distort(clean, kind, level, word);
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

const columns = ["name", "source", "kind", "level", "seed", "longer_side", "toned"] as const;

function writeTable(out: string, pictures: Iterable<DegradedPicture>, settings: Settings): Promise<void> {
  const { seed, longerSide, toned } = settings;
  const rows = [...pictures].map((picture) => ({ ...picture, seed, longer_side: longerSide, toned }));
  return writeFileAtomically(join(out, degradedTable), stringify(rows, { header: true, columns: [...columns] }));
}

/** Copies that were made earlier and are still there. @throws DatasetError when they were made otherwise */
async function readTable(out: string, settings: Settings): Promise<DegradedPicture[]> {
  const path = join(out, degradedTable);
  if (!(await stat(path).catch(() => undefined))) return [];
  const rows = await readCopies(path);
  const found: DegradedPicture[] = [];
  const asked = madeAs(settings.seed, settings.longerSide, settings.toned);
  for (const { name, source, kind, level, ...made } of rows) {
    const was = madeAs(made.seed, made.longer_side, made.toned);
    if (was !== asked)
      throw new DatasetError(`${out} holds copies of ${was}, asked for is ${asked}; give the same or another folder.`);
    if (name && (await exists(join(out, name))))
      found.push({ name, source, kind: kind as DegradedPicture["kind"], level: Number(level) });
  }
  return found;
}

/** What all copies in a folder share. */
function madeAs(seed: string | number, longerSide: string | number, toned: string | number | undefined): string {
  return `seed ${seed}, longer side ${longerSide}, share toned ${toned ?? 0}`;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
