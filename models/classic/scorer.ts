import { createHash } from "node:crypto";
import { expectArgument, expectNames, oneOf } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import type { DeviceLease, SharedDevice } from "../../engine/device/shared.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import type { Decoding } from "../data/index.ts";
import { lenderOf } from "../scoring/device.ts";
import type { PictureSource } from "../scoring/picture-source.ts";
import { brisque } from "./brisque.ts";
import { niqe } from "./niqe.ts";
import {
  type BrisqueParameters,
  type NiqeParameters,
  readBrisqueParameters,
  readNiqeParameters,
} from "./parameters.ts";
import { type Seen, SeenPictures } from "./seen-pictures.ts";

export const classicMethods = ["niqe", "brisque"] as const;
export type ClassicMethod = (typeof classicMethods)[number];

/** How `openClassicScorer` opens a scorer. */
export interface ClassicOptions extends Decoding {
  readonly method: ClassicMethod;
  /** The method's parameters, or their file as {@link readNiqeParameters} or {@link readBrisqueParameters} reads it. */
  readonly parameters: string | NiqeParameters | BrisqueParameters;
  /** File of the scaling of features, with a text model of LIBSVM. */
  readonly featureRange?: string;
  /** As `device` of `openScorer`, but a device that is lost is not replaced. */
  readonly device?: DeviceSource | SharedDevice;
  /** Pictures decoded at a time. @default 4 */
  readonly decoders?: number;
}

const names = {
  method: true,
  parameters: true,
  featureRange: true,
  device: true,
  decoders: true,
  strictness: true,
  maxPixels: true,
} satisfies Record<keyof ClassicOptions, true>;

/** The scale of a score. */
export interface ClassicScale {
  /** Ends, the lower first; the upper one of NIQE is infinity. */
  readonly range: readonly [number, number];
  readonly lowerIsBetter: boolean;
}

/** What a score of a formula depends on besides the picture. */
export interface ClassicConditions {
  readonly method: ClassicMethod;
  /** SHA-256 of the parameters, hexadecimal, whatever file they came from. */
  readonly parameters: string;
  readonly decoding: { readonly strictness: string; readonly maxPixels: number | null };
}

/** One picture with its score on the scale of the scorer, or why it has none. */
export type ClassicScored<Source = PictureSource> = { readonly picture: Source; readonly index: number } & (
  | { readonly score: number }
  | { readonly error: Error }
);

interface Formula extends ClassicScale {
  readonly digest: string;
  readonly of: (picture: Tensor) => Promise<number>;
}

/**
 * Opens a method that scores pictures by a formula, without a network.
 * @throws FileError when the parameters cannot be read; TypeError or RangeError for an option that means nothing; NoAdapterError
 */
export async function openClassicScorer(options: ClassicOptions): Promise<ClassicScorer> {
  expectNames("openClassicScorer", options, names);
  expectArgument("openClassicScorer", "method", options.method, oneOf(...classicMethods));
  const formula = await formulaOf(options);
  return new ClassicScorer(options, formula, await lenderOf(options.device).lease());
}

async function formulaOf({ method, parameters: given, featureRange }: ClassicOptions): Promise<Formula> {
  const read = (path: string) =>
    method === "niqe" ? readNiqeParameters(path) : readBrisqueParameters(path, featureRange);
  const parameters = typeof given === "string" ? await read(given) : given;
  expectArgument("openClassicScorer", "method of the parameters", parameters.method, oneOf(method));
  const digest = digestOf(parameters);
  if (parameters.method === "niqe") {
    const range = [0, Number.POSITIVE_INFINITY] as const;
    return { digest, range, lowerIsBetter: true, of: (picture) => niqe(picture, parameters) };
  }
  const { range, lowerIsBetter } = parameters;
  return { digest, range, lowerIsBetter, of: (picture) => brisque(picture, parameters) };
}

/** Of all numbers, and what they are called. */
function digestOf(parameters: NiqeParameters | BrisqueParameters): string {
  const plain = (_: string, value: unknown) => (ArrayBuffer.isView(value) ? [...(value as Float64Array)] : value);
  return createHash("sha256").update(JSON.stringify(parameters, plain)).digest("hex");
}

/**
 * Scores of pictures in their order, or why one has none.
 * @param options as {@link openClassicScorer} takes them
 * @throws as opening does, and what is no picture's fault
 */
export async function classicScores(
  device: Device,
  pictures: Iterable<PictureSource>,
  options: Omit<ClassicOptions, "device">,
): Promise<(number | Error)[]> {
  await using scorer = await openClassicScorer({ ...options, device });
  const scores: (number | Error)[] = [];
  for await (const result of scorer.scoreMany(pictures)) scores.push("error" in result ? result.error : result.score);
  return scores;
}

/** A method that scores pictures by a formula; made by {@link openClassicScorer}. */
export class ClassicScorer {
  readonly name: ClassicMethod;
  readonly scale: ClassicScale;
  readonly conditions: ClassicConditions;
  readonly #score: (picture: Tensor) => Promise<number>;
  readonly #lease: DeviceLease;
  readonly #pictures: SeenPictures;

  /** Use {@link openClassicScorer}. */
  constructor({ method, strictness, maxPixels, decoders }: ClassicOptions, formula: Formula, lease: DeviceLease) {
    this.name = method;
    this.scale = { range: formula.range, lowerIsBetter: formula.lowerIsBetter };
    this.conditions = {
      method,
      parameters: formula.digest,
      decoding: { strictness: strictness ?? "warning", maxPixels: maxPixels ?? null },
    };
    this.#score = async (picture) => {
      const score = await formula.of(picture);
      if (!Number.isFinite(score)) throw new ShapeError(`it is flat: ${method} has no statistics of it`);
      return score;
    };
    const decoding = { ...(maxPixels !== undefined && { maxPixels }), ...(strictness && { strictness }) };
    this.#lease = lease;
    this.#pictures = new SeenPictures(lease.device, decoding, decoders);
  }

  /** The score of one picture. @throws PictureError when it cannot be read or has none; what the device throws */
  score(picture: PictureSource): Promise<number> {
    return this.#pictures.see(picture, this.#score);
  }

  /**
   * Scores pictures in their order, some ahead of the one that is handed out. One that cannot be scored comes with its error and
   * stops nothing.
   * @param onResult told of each picture as soon as it has its score or error, which may be before its turn
   * @throws what is no picture's fault
   */
  async *scoreMany<Source extends PictureSource>(
    pictures: Iterable<Source> | AsyncIterable<Source>,
    onResult?: (result: ClassicScored<Source>) => void,
  ): AsyncGenerator<ClassicScored<Source>, void, undefined> {
    const scored = (seen: Seen<Source, number>): ClassicScored<Source> => {
      if ("error" in seen) return seen;
      const { value: score, ...own } = seen;
      return { ...own, score };
    };
    const told = { ...(onResult && { onResult: (seen: Seen<Source, number>) => onResult(scored(seen)) }) };
    for await (const seen of this.#pictures.seeMany(pictures, this.#score, told)) yield scored(seen);
  }

  /** Gives the device back, and ends it unless others use it or it is the host's own. */
  close(): void {
    this.#lease.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
