import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { DatasetError, type Decoding, type MosRange } from "../data/index.ts";
import { fitKernelRidge } from "../methods/parts/kernel-regression.ts";
import { srcc } from "../metrics/index.ts";
import { brisqueFeatures } from "./brisque.ts";
import { featureCount, gaussianOf, niqeBlocks } from "./niqe.ts";
import type { BrisqueParameters, NiqeParameters } from "./parameters.ts";
import { type Seen, SeenPictures, type Work } from "./seen-pictures.ts";

/** Blocks of a picture count that are sharper than this share of its sharpest. */
const sharpShare = 0.75;

/** The kernel that parameters of BRISQUE are learnt with solves for so many pictures. */
const mostRated = 3000;

/** Options of making parameters. */
export interface MakeOptions extends Decoding {
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

const names = { onProgress: true, signal: true, strictness: true, maxPixels: true } satisfies Record<
  keyof MakeOptions,
  true
>;

/** Parameters, and the pictures that could not be used with why. */
export interface MadeParameters<Parameters> {
  readonly parameters: Parameters;
  readonly leftOut: readonly { readonly path: string; readonly error: Error }[];
}

/**
 * Makes parameters of NIQE from good photographs: mean and covariance of the statistics of their sharp blocks (96 x 96 pixels, sharper than 0.75 of the
 * sharpest of the picture), as the authors made theirs from 125.
 * @param paths of photographs, as little compressed and reduced as may be
 * @throws DatasetError when they have too few sharp blocks to tell 36 numbers' covariance
 */
export async function makeNiqeParameters(
  device: Device,
  paths: Iterable<string>,
  options: MakeOptions = {},
): Promise<MadeParameters<NiqeParameters>> {
  const { found, leftOut } = await ofAll(device, "makeNiqeParameters", paths, options, (picture) =>
    niqeBlocks(picture, true),
  );
  const blocks = found.flatMap(({ value: { features, sharpness } }) => {
    const most = Math.max(...sharpness!);
    return features.filter((row, i) => sharpness![i]! > sharpShare * most && !row.some(Number.isNaN));
  });
  if (blocks.length <= featureCount) {
    throw new DatasetError(
      `${found.length} pictures have ${blocks.length} sharp blocks of 96 x 96 pixels; at least ${featureCount + 1} are needed, and some thousand are better: give more or larger photographs`,
    );
  }
  const parameters = { method: "niqe", pictures: found.length, blocks: blocks.length, ...gaussianOf(blocks) } as const;
  return { parameters, leftOut };
}

/** Parameters of BRISQUE, and how well they fit. */
export interface MadeBrisque extends MadeParameters<BrisqueParameters> {
  /** SRCC with the MOS of pictures left out of the learning one by one. */
  readonly leftOutSrcc: number;
}

/**
 * Learns parameters of BRISQUE from rated pictures by kernel ridge regression, which gives a formula of the same form as the authors' support
 * vector regression: with a squared loss in place of the ε-insensitive one, every picture is a vector of it. Width of the kernel and
 * ridge have the least error on pictures left out one by one.
 * @param rows MOS on `range`, higher is better, as data sets are read
 * @throws DatasetError for fewer than 10 or more than 3000 pictures
 */
export async function makeBrisqueParameters(
  device: Device,
  rows: readonly { readonly path: string; readonly mos: number }[],
  range: MosRange,
  options: MakeOptions = {},
): Promise<MadeBrisque> {
  const mos = new Map(rows.map((row) => [row.path, row.mos]));
  const { found, leftOut } = await ofAll(device, "makeBrisqueParameters", mos.keys(), options, brisqueFeatures);
  const usable = found.filter(({ value }) => !value.some(Number.isNaN));
  if (usable.length < 10 || usable.length > mostRated) {
    throw new DatasetError(
      `${usable.length} rated pictures can be used; BRISQUE is learnt from at least 10 and at most ${mostRated}`,
    );
  }
  const { minimum, maximum } = spans(usable.map(({ value }) => value));
  const vectors = usable.map(({ value }) =>
    Float64Array.from(value, (x, k) => -1 + (2 * (x - minimum[k]!)) / (maximum[k]! - minimum[k]!)),
  );
  const y = usable.map(({ picture }) => mos.get(picture)!);
  const fit = fitKernelRidge(vectors, featureCount, y, { kernel: "rbf", width: 0, ridge: 0 });
  const parameters = {
    method: "brisque",
    pictures: usable.length,
    range: [...range] as [number, number],
    lowerIsBetter: false,
    minimum,
    maximum,
    gamma: 1 / (2 * fit.width! ** 2 * featureCount),
    offset: -fit.constant,
    coefficients: [...fit.alpha],
    vectors: vectors.map((vector) => [...vector]),
  } as const satisfies BrisqueParameters;
  return { parameters, leftOut, leftOutSrcc: srcc(fit.leftOut, y) };
}

/** Least and greatest value of each feature; one that does not vary has a span all the same. */
function spans(features: readonly (readonly number[])[]): { minimum: number[]; maximum: number[] } {
  const column = (k: number) => features.map((row) => row[k]!);
  const minimum = Array.from({ length: featureCount }, (_, k) => Math.min(...column(k)));
  const maximum = minimum.map((least, k) => Math.max(...column(k), least + 1e-6));
  return { minimum, maximum };
}

async function ofAll<Value>(
  device: Device,
  operation: string,
  paths: Iterable<string>,
  options: MakeOptions,
  work: Work<Value>,
) {
  expectNames(operation, options, names);
  const { onProgress, signal, ...decoding } = options;
  const found: (Seen<string, Value> & { readonly value: Value })[] = [];
  const leftOut: { path: string; error: Error }[] = [];
  for await (const seen of new SeenPictures(device, decoding).seeMany(paths, work, { ...(signal && { signal }) })) {
    if ("error" in seen) leftOut.push({ path: seen.picture, error: seen.error });
    else found.push(seen);
    onProgress?.(found.length + leftOut.length);
  }
  return { found, leftOut };
}
