import sharp from "sharp";
import type { Device } from "../../engine/device/device.ts";
import { Random } from "../../engine/random.ts";
import {
  type DistortionName,
  distort,
  fromBytes,
  type LevelSet,
  levelBelow,
  toBytes,
  usualDistortions,
} from "../data/degraded/distortions.ts";
import type { Picture } from "../data/index.ts";
import type { Scorer } from "./scorer.ts";

/** Strengths of a distortion, 0 being the clean picture. */
const levels = [0, 1, 2, 3, 4, 5] as const;

/** How the scores of pictures change with one kind of distortion. */
export interface Sensitivity {
  readonly distortion: DistortionName;
  /** Mean score at the levels 0 (clean) to 5 (strong), on the model's range. */
  readonly meanScores: readonly number[];
  /** Levels at which the mean score is above that of the {@link levelBelow}. */
  readonly inversions: readonly number[];
  /** Share of the pictures that score less at level 5 than clean. */
  readonly fallen: number;
}

/** A picture to be degraded. */
export interface NamedPicture {
  readonly name: string;
  readonly picture: Picture;
}

/**
 * Degrades pictures by single distortions of rising strength and scores what comes of it: a model that knows the distortion
 * gives less the stronger it is. Distortions are measured in pixels of the pictures as they are given.
 * @param device where pictures are degraded
 * @param levels whose levels: those of the distortions, or KADID-10k's from the mildest on
 * @param seed of noise, angles and places, which depend on it, the picture's name and the kind: what changes with the level is its
 * strength alone
 */
export async function sensitivity(
  device: Device,
  scorer: Scorer,
  pictures: readonly NamedPicture[],
  {
    kinds = usualDistortions,
    levels: set = "own",
    seed = 1,
    onProgress = (_done: number, _total: number) => {},
  }: {
    kinds?: readonly DistortionName[];
    levels?: Exclude<LevelSet, "kadid">;
    seed?: number;
    onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<Sensitivity[]> {
  const wanted = pictures.flatMap((picture) => [
    { ...picture, kind: undefined, level: 0 },
    ...kinds.flatMap((kind) => levels.slice(1).map((level) => ({ ...picture, kind, level }))),
  ]);
  const scores = new Map<string, number>();
  const key = (name: string, kind: DistortionName | undefined, level: number) => `${name} ${kind ?? ""} ${level}`;
  async function* degraded() {
    for (const { name, picture, kind, level } of wanted)
      yield encoded(await bytesOf(device, picture, { name, kind, level, set, seed }), picture);
  }
  for await (const result of scorer.scoreMany(degraded())) {
    const { name, kind, level } = wanted[result.index]!;
    if ("error" in result) throw result.error;
    scores.set(key(name, kind, level), result.score);
    onProgress(scores.size, wanted.length);
  }
  const scoreOf = (name: string, kind: DistortionName, level: number) =>
    scores.get(key(name, level === 0 ? undefined : kind, level))!;
  return kinds.map((distortion) => {
    const meanScores = levels.map(
      (level) => pictures.reduce((sum, { name }) => sum + scoreOf(name, distortion, level), 0) / pictures.length,
    );
    const fallen = pictures.filter(({ name }) => scoreOf(name, distortion, 5) < scoreOf(name, distortion, 0)).length;
    return {
      distortion,
      meanScores,
      inversions: levels
        .slice(1)
        .filter((level) => meanScores[level]! > meanScores[levelBelow(distortion, level, set)]!),
      fallen: fallen / pictures.length,
    };
  });
}

interface Wanted {
  readonly name: string;
  /** None at level 0. */
  readonly kind: DistortionName | undefined;
  readonly level: number;
  readonly set: LevelSet;
  readonly seed: number;
}

async function bytesOf(
  device: Device,
  { pixels, width, height }: Picture,
  { name, kind, level, set, seed }: Wanted,
): Promise<Uint8Array> {
  if (!kind) return pixels;
  using clean = fromBytes(device, pixels, height, width);
  const word = new Random(seed, `sensitivity/${name}/${kind}`).word();
  using changed = await distort(clean, kind, level, word, { levels: set });
  return toBytes(changed);
}

function encoded(bytes: Uint8Array, { width, height }: Picture) {
  return sharp(bytes, { raw: { width, height, channels: 3 } });
}
