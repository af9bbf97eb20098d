import type { MosRange } from "../data/index.ts";
import type { PictureScore } from "../scoring/picture-score.ts";
import type { Capture } from "./capture.ts";
import type { Look } from "./look.ts";

/** What a scorer says of a picture, as far as culling uses it. */
export type CullScore = Pick<PictureScore, "score" | "interval" | "reasons" | "typicality"> & {
  readonly range: MosRange;
};

/** A picture as {@link seePicture} sees it. */
export interface SeenPicture {
  /** Path, or any other name that is its own. */
  readonly name: string;
  readonly look: Look;
  readonly capture: Capture;
  /** SHA-256 of its file, hexadecimal: of the same bytes, the same. */
  readonly digest?: string;
  /** Of a scorer; absent where none was asked. */
  readonly scored?: CullScore;
}
