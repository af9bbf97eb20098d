export { type ScoreStoredOptions, type StorePicture, scoreStored } from "./score-stored.ts";
export {
  openStore,
  type Store,
  type StoredClassicScore,
  type StoredPicture,
  type StoredResult,
  type StoredScore,
  type StoredScorer,
} from "./store.ts";
export { StoreError } from "./store-error.ts";
export { type WatchedChange, type WatchOptions, watchPictures } from "./watch.ts";
