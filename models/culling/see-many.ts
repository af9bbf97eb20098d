import { DeviceLostError, GpuError } from "../../engine/device/errors.ts";
import { PictureError } from "../data/index.ts";
import { Limit, prefetch } from "../data/prefetch.ts";
import type { Scorer } from "../scoring/scorer.ts";
import type { CullScore, SeenPicture } from "./picture.ts";
import { lookInto, type SeeOptions, scoreForCulling } from "./see.ts";

export interface SeeManyOptions extends Pick<SeeOptions, "background" | "maxPixels" | "strictness" | "signal"> {
  /** Gives the score of a file; see {@link scoreForCulling}. @default no scores */
  readonly score?: (path: string, signal: AbortSignal) => Promise<CullScore>;
  /** Looks at a file in the place of {@link lookInto}. */
  readonly look?: (path: string, options: SeeOptions, index: number) => Promise<SeenPicture>;
  /** Pictures whose scores are waited for at a time, as `Scorer.ahead` says. @default 8 */
  readonly ahead?: number;
  /** Gets each decoded picture, a large one halved, with its place among the paths. */
  readonly onPicture?: (picture: Parameters<NonNullable<SeeOptions["onPicture"]>>[0], index: number) => Promise<void>;
  /** Told of each picture as soon as it is seen, or of why it is not. */
  readonly onResult: (result: { readonly index: number } & (SeenPicture | { readonly error: Error })) => void;
}

/** Pictures decoded at a time, beside those that a scorer decodes. */
const decoding = 3;

/**
 * Sees many pictures, a bounded number at a time. One that cannot be seen stops nothing; what is no picture's fault does.
 * @throws DeviceLostError; the signal's reason
 */
export async function seeMany(paths: readonly string[], options: SeeManyOptions): Promise<void> {
  const { score, look = lookInto, ahead = 8, onPicture, onResult, ...others } = options;
  const decoders = new Limit(decoding);
  const one = async (index: number, signal: AbortSignal) => {
    const path = paths[index]!;
    const seen = await decoders.run(() =>
      look(path, { ...others, signal, ...(onPicture && { onPicture: (picture) => onPicture(picture, index) }) }, index),
    );
    onResult({ index, ...seen, ...(score && { scored: await score(path, signal) }) });
  };
  const walk = prefetch(paths.keys(), one, {
    ahead,
    concurrency: ahead,
    ...(options.signal && { signal: options.signal }),
  });
  for await (const result of walk) {
    if (result.ok) continue;
    if (!isOfOne(result.error)) throw result.error;
    onResult({ index: result.item, error: result.error });
  }
}

/** Whether an error is about one picture alone. */
function isOfOne(error: unknown): error is Error {
  if (error instanceof PictureError || error instanceof RangeError) return true;
  if (error instanceof GpuError) return !(error instanceof DeviceLostError);
  // A system's own: the file went while it was read.
  return error instanceof Error && "code" in error;
}

/** How {@link seeMany} gets scores from a scorer. */
export function scoresOf(scorer: Pick<Scorer, "score">): NonNullable<SeeManyOptions["score"]> {
  return (path, signal) => scoreForCulling(scorer, path, { signal });
}
