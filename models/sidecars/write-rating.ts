import { setTimeout } from "node:timers/promises";
import sharp from "sharp";
import { expectNames } from "../../engine/arguments.ts";
import { fileSentence } from "../../engine/weights/files.ts";
import { onDisk, printable } from "../data/files/file-name.ts";
import { hasRating, type RatingChanges, type RatingValues, ratingChanges } from "./rating-changes.ts";
import { isAsRead, type ReadFile, readIfThere, replaceIfAsRead } from "./replace-file.ts";
import { SidecarError } from "./sidecar-error.ts";
import { SidecarNames, type SidecarNaming } from "./sidecar-names.ts";
import { starsOf } from "./stars.ts";
import { type Change, emptySidecar, valueIn, withProperties } from "./update-sidecar.ts";
import { namespaces, readXmp } from "./xmp-document.ts";
import { textOf } from "./xmp-encoding.ts";

/** What a score has that goes into a sidecar; results of a scorer have it. */
export type RatedScore = Omit<RatingValues, "rating" | "label">;

export interface WriteRatingOptions {
  /** @default "darktable" */
  readonly naming?: SidecarNaming;
  /** Four ascending scores at which a picture has one star more. @default the fifths of the range */
  readonly bands?: readonly number[];
  /** @default false */
  readonly lowerIsBetter?: boolean;
  /** Colour labels of one to five stars, as the program that reads them calls them; empty for none. @default labels are left alone */
  readonly labels?: readonly string[];
  /** Whether ratings and labels of people are replaced. @default false */
  readonly overwrite?: boolean;
  /** Whether nothing is written, and the result says what would be. @default false */
  readonly dryRun?: boolean;
  /** Keeps what lies in folders, for many pictures. */
  readonly names?: SidecarNames;
}

const optionNames = {
  naming: true,
  bands: true,
  lowerIsBetter: true,
  labels: true,
  overwrite: true,
  dryRun: true,
  names: true,
} satisfies Record<keyof WriteRatingOptions, true>;

/** What became of a sidecar. */
export interface WrittenRating {
  readonly sidecar: string;
  readonly change: "created" | "updated" | "unchanged";
  /** Stars of the score. They are in the sidecar unless `keptRating` is there. */
  readonly rating: number;
  /** The rating of a person that was kept, from sidecar or picture; empty where one removed the rating that was written here. */
  readonly keptRating?: string;
  /** The same of the label. */
  readonly keptLabel?: string;
  /** Why the sidecar is not called as was asked. */
  readonly note?: string;
}

/** How often a sidecar that others write to is read again. */
const attempts = 8;

/**
 * Writes the stars of a score as `xmp:Rating` into the sidecar of a picture, with score, interval and model in a namespace of Acutance's;
 * the picture is not touched, and neither is anything else in a sidecar that is there. A sidecar is replaced at once or not at all.
 * @param picture its path
 * @throws SidecarError when the sidecar cannot be read, understood or written; it stays as it is
 * @throws RangeError for bands or labels that are none
 */
export async function writeRating(
  picture: string,
  scored: RatedScore,
  options: WriteRatingOptions = {},
): Promise<WrittenRating> {
  expectNames("writeRating", options, optionNames);
  const { naming = "darktable", labels, overwrite = false, dryRun = false, names = new SidecarNames() } = options;
  if (labels && labels.length !== 5) throw new RangeError(`\`labels\` must be five, got ${labels.length}`);
  const { range, model, score, interval } = scored;
  const rating = starsOf(score, { range, bands: options.bands, lowerIsBetter: options.lowerIsBetter });
  const { path, forExtension, note } = await names.of(picture, naming);
  const values = { rating, label: labels?.[rating - 1], score, interval, range, model };
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await setTimeout(20 * 2 ** attempt);
    const read = await onSidecar(path, "read", () => readIfThere(path));
    const made = await changed(read, { path, picture, values, overwrite, forExtension });
    if (made === "changed") continue;
    const { bytes, keptRating, keptLabel } = made;
    const change = !read ? "created" : bytes ? "updated" : "unchanged";
    if (bytes && !dryRun) {
      if (!(await onSidecar(path, "written", () => replaceIfAsRead(path, bytes, read)))) continue;
      if (!read) names.made(path);
    }
    return {
      sidecar: path,
      change,
      rating,
      ...(keptRating !== undefined && { keptRating }),
      ...(keptLabel !== undefined && { keptLabel }),
      ...(note && { note }),
    };
  }
  const text = `${printable(path)} was changed by another program each time that it was to be written; try again later`;
  throw new SidecarError("changed", text, { sidecar: path });
}

interface Wanted {
  readonly path: string;
  readonly picture: string;
  readonly values: RatingValues;
  readonly overwrite: boolean;
  readonly forExtension: string | undefined;
}

/** The sidecar's new bytes, undefined where they are the old ones; "changed" when it is not well-formed because it is being written. */
async function changed(
  read: ReadFile | undefined,
  { path, picture, values, overwrite, forExtension }: Wanted,
): Promise<"changed" | (Omit<RatingChanges, "changes"> & { readonly bytes: Uint8Array | undefined })> {
  try {
    const { text, encode } = read
      ? textOf(read.bytes)
      : { text: emptySidecar, encode: (done: string) => Buffer.from(done) as Uint8Array };
    const document = readXmp(text);
    const embedded = overwrite || hasRating(document) ? undefined : await embeddedRating(picture);
    const { changes, ...kept } = ratingChanges(document, values, { overwrite, embedded });
    const done = withProperties(document, read || !forExtension ? changes : [forOne(forExtension), ...changes]);
    return { ...kept, bytes: done === text && read ? undefined : encode(done) };
  } catch (error) {
    if (!(error instanceof SidecarError)) throw error;
    if (error.reason === "damaged" && !(await isAsRead(path, read))) return "changed";
    const text = `the sidecar ${printable(path)} is left as it is: ${error.message}`;
    throw new SidecarError(error.reason, text, { cause: error.cause ?? error, sidecar: path });
  }
}

/** Lightroom and Camera Raw look at it where raw and JPEG have the same name. */
const forOne = (extension: string): Change => ({
  namespace: namespaces.photoshop,
  name: "SidecarForExtension",
  value: extension.toUpperCase(),
});

/** The rating that is written into the picture itself, by a camera or a person; undefined where none can be read. */
async function embeddedRating(picture: string): Promise<string | undefined> {
  try {
    const file = onDisk(picture);
    // sharp takes no path as bytes.
    if (typeof file !== "string") return undefined;
    const { xmp } = await sharp(file, { failOn: "none", limitInputPixels: false }).metadata();
    return xmp && valueIn(readXmp(textOf(xmp).text), namespaces.xmp, "Rating");
  } catch {
    return undefined;
  }
}

async function onSidecar<T>(path: string, doing: "read" | "written", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new SidecarError("unwritable", fileSentence(printable(path), cause, doing), { cause, sidecar: path });
  }
}
