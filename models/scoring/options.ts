import { expectArgument, expectNames, flag, oneOf } from "../../engine/arguments.ts";
import type { SharedDevice } from "../../engine/device/shared.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import { expectColour } from "../data/pictures/background.ts";
import type { DecodeOptions } from "../data/pictures/decode.ts";
import type { DecoderPool } from "../data/pictures/decoding/pool.ts";
import { evaluationBatch } from "../networks/forward.ts";
import type { AdapterOptions } from "./device.ts";
import type { BatchReport } from "./network.ts";
import { defaultModel, modelName, modelPath, reasonsPath } from "./shipped-models.ts";

/** How `openScorer` opens a scorer. */
export interface ScorerOptions extends Pick<DecodeOptions, "background" | "maxPixels" | "strictness"> {
  /**
   * A model made by `acutance train`: path or `file:` URL of its safetensors file; or `fast` for the smaller of those that come with Acutance, which
   * takes about half of the time. @default the other of them
   */
  readonly model?: string | URL;
  /**
   * A device of the host's own, which the scorer neither closes nor replaces; a `SharedDevice` or how to open one, which it
   * releases or closes, and replaces when it is lost. @default one device for all scorers of the process that give none and ask
   * for the same {@link ScorerOptions.adapter}: opened with the first, closed with the last, replaced once for all
   */
  readonly device?: DeviceSource | SharedDevice;
  /** Which adapter the device is opened on and what of it is used, where `device` is not given. @default the best one at hand */
  readonly adapter?: AdapterOptions;
  /**
   * A score is the mean over a grid of at most so many tiles at original size that covers the picture; one that takes more is
   * first reduced until it is covered. @default what the model was tested with, as a rule the centre of the resized picture
   */
  readonly tiles?: number;
  /** The most pictures taken through the network at once; fewer where they do not fit the memory. @default 32 */
  readonly batch?: number;
  /** Whether results carry the pooled feature of the picture, which likenesses and further heads can be made from. @default false */
  readonly features?: boolean;
  /** Whether results say how sharp the sharpest parts of the picture are. Takes some 5 ms of the thread for each. @default false */
  readonly sharpness?: boolean;
  /**
   * Whether results say what most likely lowers a score that is not good: by the file of reasons that comes with Acutance, or one made by
   * `acutance reasons`, path or `file:` URL. Takes some 25 ms of the thread for each such picture. @default false
   */
  readonly reasons?: boolean | string | URL;
  /** How long a picture may wait, while the adapter is idle, for others that are being decoded. @default 10 */
  readonly latencyMs?: number;
  /** Pictures decoded at a time, in this process. @default 4 */
  readonly decoders?: number;
  /**
   * Decodes pictures that are given as bytes in processes of its own instead, which a picture that costs too much cannot harm. It is the host's, who
   * closes it after the scorer, and may be shared.
   */
  readonly decoderPool?: DecoderPool;
  /** Blobs, bodies and streams that are longer are refused, bytes. @default 268435456 (256 MiB) */
  readonly maxBytes?: number;
  /** Name of the model in results. @default the file's name without its extension */
  readonly name?: string;
  /** Told of every batch that was run; what it throws, the callers of the batch get. */
  readonly onBatch?: (report: BatchReport) => void;
  /** Told, in sentences, what the owner of the model should know: that its file carries no digest, that it gives unlike pictures the same score. */
  readonly onNote?: (note: string) => void;
  /** Told of every loss of the device. */
  readonly onDeviceLost?: (error: Error) => void;
}

const names = {
  model: true,
  device: true,
  adapter: true,
  tiles: true,
  batch: true,
  features: true,
  sharpness: true,
  reasons: true,
  latencyMs: true,
  decoders: true,
  decoderPool: true,
  maxBytes: true,
  name: true,
  onBatch: true,
  onNote: true,
  onDeviceLost: true,
  background: true,
  maxPixels: true,
  strictness: true,
} satisfies Record<keyof ScorerOptions, true>;

/** {@link ScorerOptions} with what was left out. */
export type Settings = Omit<ScorerOptions, "model" | "device" | "adapter" | "reasons"> &
  Required<Pick<ScorerOptions, "batch" | "decoders" | "maxBytes" | "latencyMs" | "name">> & {
    readonly path: string;
    /** File of the head that tells reasons, where they are asked for. */
    readonly reasonsPath?: string;
  };

/** @throws TypeError for an option that there is not; RangeError for one that means nothing */
export function settingsOf(options: ScorerOptions): Settings {
  expectNames("openScorer", options, names);
  const { model = defaultModel } = options;
  const path = modelPath(model);
  const { reasons, ...others } = options;
  if (reasons !== undefined && !(typeof reasons === "string" || reasons instanceof URL))
    expectArgument("openScorer", "reasons", reasons, flag);
  const settings: Settings = {
    ...others,
    path,
    ...(reasons && { reasonsPath: reasonsPath(reasons) }),
    name: options.name ?? modelName(path),
    batch: atLeastOne("batch", options.batch ?? evaluationBatch),
    decoders: atLeastOne("decoders", options.decoders ?? 4),
    maxBytes: atLeastOne("maxBytes", options.maxBytes ?? 2 ** 28),
    latencyMs: options.latencyMs ?? 10,
  };
  for (const name of ["tiles", "maxPixels"] as const) {
    if (options[name] !== undefined) atLeastOne(name, options[name]);
  }
  const { background, strictness, features, sharpness } = options;
  if (features !== undefined) expectArgument("openScorer", "features", features, flag);
  if (sharpness !== undefined) expectArgument("openScorer", "sharpness", sharpness, flag);
  if (strictness !== undefined) expectArgument("openScorer", "strictness", strictness, strictnesses);
  if (background !== undefined) expectColour(background);
  // A timer that is set to more runs out at once.
  if (!(settings.latencyMs >= 0 && settings.latencyMs < 2 ** 31)) {
    throw new RangeError(`latencyMs must be from 0 to 2147483647, got ${settings.latencyMs}`);
  }
  return settings;
}

const strictnesses = oneOf("warning", "error", "truncated");

/** @throws RangeError when a value is no whole number of at least 1 */
export function atLeastOne(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`);
}
