export { type CacheUsage, PictureCache } from "./cache.ts";
export {
  type Dataset,
  DatasetError,
  type DatasetOptions,
  type Exclusion,
  type FolderOptions,
  loadDataset,
  loadFolder,
  type Problem,
  type Row,
  ratedRows,
  unratedRows,
} from "./dataset.ts";
export {
  type Degraded,
  type DegradedLayout,
  type DegradedPicture,
  type DegradeOptions,
  degradeFolder,
} from "./degraded/degrade.ts";
export {
  amountsOf,
  type DistortionName,
  type DistortOptions,
  distort,
  distortionNames,
  type LevelSet,
} from "./degraded/distortions.ts";
export { type RankedPicture, type RankedSet, rankedSets, withoutCopiesOf } from "./degraded/ranked-sets.ts";
export { pictureExtensions } from "./files/folder.ts";
export {
  type DuplicatePair,
  type Inspection,
  type InspectOptions,
  inspect,
  isSound,
  type Summary,
} from "./inspect/inspect.ts";
export { libraryWords, type OptionWords } from "./option-words.ts";
export { type Loaded, PictureStore, TensorStore } from "./picture-store.ts";
export {
  checkPicture,
  type DecodeOptions,
  type Decoding,
  decode,
  isPipeline,
  type Picture,
  type PictureCheck,
} from "./pictures/decode.ts";
export { PictureError, type PictureReason } from "./pictures/picture-error.ts";
export { type Prefetched, type PrefetchOptions, prefetch } from "./prefetch.ts";
export { problemLines, problemText } from "./problems.ts";
export { divide, type Parts, type ProtocolOptions, ratioShares } from "./protocol.ts";
export { type MosRange, observedRange } from "./range.ts";
export { withoutCopies } from "./same-pictures.ts";
export { type ScanOptions, scan } from "./scan.ts";
export { type KnownSetOptions, knownSets, loadKnownSet, type SetDescription } from "./sets/index.ts";
export { officialSplit, parseRatio, type SplitOptions, type Splittable, split } from "./split.ts";
export { readSplit, type SplitFile, writeSplit } from "./split-file.ts";
export type { ColumnChoice, Columns } from "./tables/columns.ts";
export { upload } from "./upload.ts";
