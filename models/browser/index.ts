import { openSafetensors as openHeld, type SafetensorsFile } from "../../engine/weights/safetensors.ts";
import type { QualityMap } from "../scoring/explain.ts";
import {
  openScorer as openHeldScorer,
  type PictureScore,
  type ScoreOptions,
  type Scorer,
  type ScorerOptions,
} from "../scoring/scorer.ts";
import { held, type OnBytes, type WeightsSource } from "./sources.ts";

export * from "../../engine/portable.ts";
export { FileError } from "../../engine/weights/files.ts";
export {
  encodeSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  type TensorToStore,
} from "../../engine/weights/safetensors.ts";
export type { Picture } from "../data/pictures/decode.ts";
export { PictureError, type PictureReason } from "../data/pictures/picture-error.ts";
export type { QualityMap } from "../scoring/explain.ts";
export { ScorerClosedError } from "../scoring/scorer.ts";
export type { OnBytes, WeightsSource } from "./sources.ts";
export type { PictureScore, ScoreOptions };

/** Options of {@link openScorer}: those of the library, but for those of processes and adapters of a system. */
export interface PageScorerOptions
  extends Omit<ScorerOptions, "model" | "reasons" | "decoderPool" | "adapter" | "strictness" | "decoders"> {
  /**
   * A model made by `acutance train`, or `fast` for the smaller of those that come with Acutance. Those two are fetched from where they lie in the
   * package, beside this module: `models/weights/livec-v2.safetensors` (10.4 MB) and `livec-v2-fast.safetensors` (7.8 MB). @default the other of them
   */
  readonly model?: WeightsSource;
  /** Whether results say what most likely lowers a score that is not good; `true` fetches the file that comes with Acutance (27 kB). @default false */
  readonly reasons?: boolean | WeightsSource;
  /** Told how much of the model has come. */
  readonly onModelBytes?: OnBytes;
}

/** A picture to be scored: a file or its bytes, an answer to a request, or what a canvas draws. */
export type PagePicture =
  | Blob
  | Uint8Array
  | ArrayBuffer
  | Response
  | ReadableStream<Uint8Array>
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/** The library's scorer, with a page's pictures. */
export interface PageScorer extends Omit<Scorer, "score" | "scoreMany" | "explain"> {
  /** As of the library, with the decoder of the browser. */
  score(picture: PagePicture, options?: ScoreOptions): Promise<PictureScore>;
  /** As of the library. */
  scoreMany<Source extends PagePicture>(
    pictures: Iterable<Source> | AsyncIterable<Source>,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<
    { readonly picture: Source; readonly index: number } & (PictureScore | { readonly error: Error }),
    void,
    undefined
  >;
  /** As of the library; what it draws are the bytes of a PNG file. */
  explain(picture: PagePicture, options?: ScoreOptions & { readonly tiles?: number }): Promise<QualityMap>;
}

// Bundlers copy what stands in such calls, and change the address.
const shipped = {
  best: () => new URL("../../models/weights/livec-v2.safetensors", import.meta.url),
  fast: () => new URL("../../models/weights/livec-v2-fast.safetensors", import.meta.url),
  reasons: () => new URL("../../models/weights/reasons.safetensors", import.meta.url),
};

/**
 * Opens a trained model on the browser's WebGPU, ready to score pictures: `Blob`s and `File`s, bytes, answers to requests, and what a
 * canvas draws, such as an `img` or an `ImageBitmap`.
 * @throws GpuError and NoAdapterError where the browser has no WebGPU, with what to do; FileError when the model cannot be fetched;
 * SafetensorsError when it is none or is damaged; RangeError for an option that means nothing
 */
export async function openScorer(options: PageScorerOptions = {}): Promise<PageScorer> {
  const { model, reasons, onModelBytes, ...others } = options;
  const source = model === undefined ? shipped.best() : model === "fast" ? shipped.fast() : model;
  const path = await held(source, onModelBytes);
  const told = reasons === true ? shipped.reasons() : reasons || undefined;
  const scorer = await openHeldScorer({ ...others, model: path, ...(told && { reasons: await held(told) }) });
  return scorer as unknown as PageScorer;
}

/**
 * Opens a safetensors file, for `loadTensors`.
 * @throws SafetensorsError when it is not a whole, valid safetensors file; FileError when it cannot be fetched
 */
export async function openSafetensors(source: WeightsSource, onBytes?: OnBytes): Promise<SafetensorsFile> {
  return openHeld(await held(source, onBytes));
}
