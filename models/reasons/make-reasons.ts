import { basename } from "node:path";
import { expectArgument, expectNames, whole } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { Random } from "../../engine/random.ts";
import { ShapeError } from "../../engine/tensor.ts";
import { DatasetError, type Decoding, decode, PictureError, prefetch } from "../data/index.ts";
import { calibrated } from "./calibrate.ts";
import { type Copy, type CopyPart, copiesOf } from "./copies.ts";
import { figuresOf, type ReasonFigures } from "./figures.ts";
import { classes, type ReasonHead } from "./head.ts";
import { type HeadOptions, trainHead } from "./train-head.ts";

/** Scores from this share of a model's range on are of good pictures. */
export const usualGood = 0.65;

/** Photographs at least: with fewer the parts tell nothing. */
export const leastPhotographs = 10;

export interface MakeReasonsOptions extends Decoding, Pick<HeadOptions, "hidden" | "steps" | "seed" | "signal"> {
  /** Photographs at most, drawn from the seed. @default all */
  readonly count?: number;
  /** Share of the range of scores from which on no reason is told, 0 to 1. @default 0.65 */
  readonly good?: number;
  /** Told of each photograph that is done with. */
  readonly onProgress?: (done: number, total: number) => void;
}

const names = {
  count: true,
  good: true,
  hidden: true,
  steps: true,
  seed: true,
  signal: true,
  strictness: true,
  maxPixels: true,
  onProgress: true,
} satisfies Record<keyof MakeReasonsOptions, true>;

/** A head with what is known of it. */
export interface MadeReasons {
  readonly head: ReasonHead;
  /** On copies of photographs that nothing was chosen by. */
  readonly figures: ReasonFigures;
  /** Photographs that served. */
  readonly photographs: Readonly<Record<CopyPart, number>>;
  /** Photographs that did not, and why. */
  readonly leftOut: readonly { readonly path: string; readonly error: Error }[];
}

/**
 * Teaches a head to tell reasons for low scores, from degraded copies of photographs alone: nobody rates anything. Photographs are
 * split, 70 % to teach the weights, 10 % to choose temperature and threshold, 20 % held out. Those of one base name go together.
 * @param paths of photographs, most of them good
 * @throws DatasetError for fewer than 10 that can be read; TypeError or RangeError for an option that means nothing; the signal's reason
 */
export async function makeReasons(
  device: Device,
  paths: Iterable<string>,
  options: MakeReasonsOptions = {},
): Promise<MadeReasons> {
  expectNames("makeReasons", options, names);
  const { count, good = usualGood, hidden, steps, seed = 1, signal } = options;
  if (count !== undefined) expectArgument("makeReasons", "count", count, whole(leastPhotographs));
  if (!(good > 0 && good <= 1)) throw new RangeError(`good is a share of the range above 0 and up to 1, got ${good}`);
  const parts = splitOf([...new Set(paths)], seed, count);
  const { copies, done, leftOut } = await copiesOfAll(device, parts, { ...options, seed });
  const head = await trainHead(
    device,
    copies.taught.map(({ statistics, truth }) => ({ statistics, truth: classes.indexOf(truth) })),
    { seed, ...(hidden !== undefined && { hidden }), ...(steps !== undefined && { steps }), ...(signal && { signal }) },
  );
  const complete = { ...head, ...calibrated(head, copies.choosing), good };
  return { head: complete, figures: figuresOf(complete, copies["held out"]), photographs: done, leftOut };
}

interface Planned {
  readonly path: string;
  readonly part: CopyPart;
}

/** The order depends on the names and the seed alone, not on the folder that they lie in. */
function splitOf(paths: readonly string[], seed: number, count = paths.length): Planned[] {
  const place = (path: string) => new Random(seed, `reasons/split/${basename(path)}`).uniform();
  const ordered = paths
    .map((path) => ({ path, at: place(path) }))
    .sort((a, b) => a.at - b.at || (a.path < b.path ? -1 : 1))
    .slice(0, count);
  if (ordered.length < leastPhotographs) throw tooFew(ordered.length);
  const held = Math.max(2, Math.round(0.2 * ordered.length));
  const choosing = Math.max(2, Math.round(0.1 * ordered.length));
  return ordered.map(({ path }, i) => ({
    path,
    part: i < held ? "held out" : i < held + choosing ? "choosing" : "taught",
  }));
}

const tooFew = (found: number) =>
  new DatasetError(
    `${found} photographs can be used; reasons are learnt from at least ${leastPhotographs}, and some hundred are better`,
  );

/** Copies of all photographs by their parts. One that cannot be read is left out. */
async function copiesOfAll(
  device: Device,
  planned: readonly Planned[],
  { seed, signal, onProgress, maxPixels, strictness }: MakeReasonsOptions & { readonly seed: number },
) {
  const decoding = { ...(maxPixels !== undefined && { maxPixels }), ...(strictness && { strictness }) };
  const copies: Record<CopyPart, Copy[]> = { taught: [], choosing: [], "held out": [] };
  const done: Record<CopyPart, number> = { taught: 0, choosing: 0, "held out": 0 };
  const leftOut: { path: string; error: Error }[] = [];
  let count = 0;
  const load = ({ path }: Planned) => decode(path, decoding);
  for await (const loaded of prefetch(planned, load, { ahead: 4, concurrency: 2, ...(signal && { signal }) })) {
    const { path, part } = loaded.item;
    try {
      if (!loaded.ok) throw loaded.error;
      const own = await copiesOf(device, loaded.value, { name: basename(path), part, seed });
      if (own.length === 0) throw tooSmall(path);
      copies[part].push(...own);
      done[part]++;
    } catch (error) {
      device.check();
      if (!(error instanceof PictureError || error instanceof OutOfMemoryError || error instanceof ShapeError))
        throw error;
      leftOut.push({ path, error });
    }
    onProgress?.(++count, planned.length);
  }
  const parts = Object.values(done);
  if (parts.some((n) => n === 0) || parts.reduce((sum, n) => sum + n, 0) < leastPhotographs)
    throw tooFew(parts.reduce((sum, n) => sum + n, 0));
  return { copies, done, leftOut };
}

const tooSmall = (path: string) =>
  new PictureError(path, "no-score", "It is too small to tell degradations by.", {
    advice: "Give larger photographs.",
  });
