import { type Change, sidecarNamespace, valueIn } from "./update-sidecar.ts";
import { namespaces, type XmpDocument } from "./xmp-document.ts";

/** What is written for a picture. */
export interface RatingValues {
  /** Stars, 1 to 5. */
  readonly rating: number;
  /** Colour label as programs show it, such as `Red`; empty for none; undefined leaves labels alone. */
  readonly label?: string | undefined;
  readonly score: number;
  readonly interval?: { readonly low: number; readonly high: number; readonly level: number } | undefined;
  readonly range: readonly [number, number];
  readonly model: string;
}

/** Changes to a sidecar, and what of a person's stays. */
export interface RatingChanges {
  readonly changes: readonly Change[];
  /** The rating of a person; empty where one removed the rating that was written here. */
  readonly keptRating?: string;
  readonly keptLabel?: string;
}

/** Ratings that other programs write beside or instead of `xmp:Rating`; 0 is none. */
const othersRatings = [
  [namespaces.microsoft, "Rating"],
  [namespaces.acdsee, "rating"],
] as const;

/**
 * What is to be changed. `acutance:Rating` and `acutance:Label` keep what was written here last: a rating or a label that is not the
 * same is a person's and stays, and so does the lack of one where one was written. The rating 0, which programs write for pictures
 * that have none, is a person's only then.
 * @param embedded the rating inside of the picture
 */
export function ratingChanges(
  document: XmpDocument,
  { rating, label, score, interval, range, model }: RatingValues,
  { overwrite, embedded }: { readonly overwrite: boolean; readonly embedded: string | undefined },
): RatingChanges {
  const own = (name: string, value: string | undefined): Change => ({ namespace: sidecarNamespace, name, value });
  const finite = (value: number | undefined) =>
    value !== undefined && Number.isFinite(value) ? String(Number(value.toPrecision(5))) : undefined;
  const keptRating = overwrite ? undefined : personsRating(document, embedded);
  const keptLabel = overwrite || label === undefined ? undefined : personsLabel(document);
  const ratings: Change[] = [{ namespace: namespaces.xmp, name: "Rating", value: String(rating) }];
  const labels: Change[] = [{ namespace: namespaces.xmp, name: "Label", value: label || undefined }];
  const changes = [
    ...(keptRating === undefined ? [...ratings, own("Rating", String(rating))] : []),
    // From now on any rating is a person's; only the mark of one that was removed stays.
    ...(keptRating ? [own("Rating", undefined)] : []),
    ...(label !== undefined && keptLabel === undefined ? [...labels, own("Label", label || undefined)] : []),
    ...(keptLabel ? [own("Label", undefined)] : []),
    own("Score", finite(score)),
    own("IntervalLow", finite(interval?.low)),
    own("IntervalHigh", finite(interval?.high)),
    own("IntervalLevel", finite(interval?.level)),
    own("RangeLow", finite(range[0])),
    own("RangeHigh", finite(range[1])),
    own("Model", model),
  ];
  return {
    changes,
    ...(keptRating !== undefined && { keptRating }),
    ...(keptLabel !== undefined && { keptLabel }),
  };
}

const isNone = (rating: string | undefined) => !rating || Number(rating) === 0;

/** Whether the rating inside of the picture does not count. */
export function hasRating(document: XmpDocument): boolean {
  return !isNone(valueIn(document, namespaces.xmp, "Rating")) || Boolean(valueIn(document, sidecarNamespace, "Rating"));
}

/** The rating of a person, empty for one that was removed; undefined where there is none. */
function personsRating(document: XmpDocument, embedded: string | undefined): string | undefined {
  const there = valueIn(document, namespaces.xmp, "Rating");
  const written = valueIn(document, sidecarNamespace, "Rating");
  if (!isNone(there)) return Number(there) === Number(written ?? Number.NaN) ? undefined : there;
  if (written) return "";
  const others = othersRatings.map(([namespace, name]) => valueIn(document, namespace, name));
  return [...others, embedded].find((rating) => !isNone(rating));
}

function personsLabel(document: XmpDocument): string | undefined {
  const there = valueIn(document, namespaces.xmp, "Label");
  const written = valueIn(document, sidecarNamespace, "Label");
  if (there === written || (!there && !written)) return undefined;
  return there ?? "";
}
