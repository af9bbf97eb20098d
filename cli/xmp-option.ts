import { type Command, InvalidArgumentError, Option } from "commander";
import { printable } from "../models/data/files/file-name.ts";
import { Limit } from "../models/data/prefetch.ts";
import {
  type RatedScore,
  SidecarNames,
  type SidecarNaming,
  sidecarNamings,
  type WrittenRating,
  writeRating,
} from "../models/sidecars/index.ts";
import { starBands } from "../models/sidecars/stars.ts";

/** Options of ratings in sidecars. */
export interface XmpFlags {
  readonly xmp?: SidecarNaming;
  readonly xmpBands?: readonly number[];
  readonly xmpLabels?: readonly string[];
  readonly xmpOverwrite?: boolean;
  readonly xmpDryRun?: boolean;
}

const flagOf = {
  xmpBands: "--xmp-bands",
  xmpLabels: "--xmp-labels",
  xmpOverwrite: "--xmp-overwrite",
  xmpDryRun: "--xmp-dry-run",
} as const;

/** Adds --xmp and the options that go with it. */
export function addXmpOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--xmp [naming]",
        "write one to five stars into the sidecar of each picture, called as by darktable and digiKam (a.jpg.xmp) or by lightroom (a.xmp); one that is there is taken, and stars that a person gave stay",
      )
        .preset("darktable")
        .argParser(naming),
    )
    .option(
      "--xmp-bands <n,n,n,n>",
      "scores from which on a picture has 2, 3, 4 and 5 stars (default: fifths of the range: 20,40,60,80)",
      bandsOf,
    )
    .option(
      "--xmp-labels <word,…>",
      "also write colour labels, five for 1 to 5 stars, such as Red,Yellow,,,Green",
      labelsOf,
    )
    .option("--xmp-overwrite", "replace stars and labels of people too")
    .option("--xmp-dry-run", "write no sidecar, and say what would be written");
}

function naming(word: string): SidecarNaming {
  const found = sidecarNamings.find((one) => one === word);
  if (found) return found;
  throw new InvalidArgumentError(
    "expected darktable or lightroom; put --xmp behind the pictures, or write --xmp=darktable",
  );
}

function bandsOf(text: string): readonly number[] {
  const bands = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  try {
    return starBands({ range: [0, 1], bands });
  } catch {
    throw new InvalidArgumentError("expected four ascending scores, such as 20,40,60,80");
  }
}

function labelsOf(text: string): readonly string[] {
  const labels = text.split(",").map((label) => label.trim());
  if (labels.length === 5) return labels;
  throw new InvalidArgumentError(`expected five labels, of which some may be empty, got ${labels.length}`);
}

/** What is known of all scores of a run. */
export interface XmpScale {
  readonly range: readonly [number, number];
  readonly lowerIsBetter?: boolean;
}

/** The sidecars of a run. */
export class XmpRatings {
  readonly #naming: SidecarNaming;
  readonly #flags: XmpFlags;
  readonly #names = new SidecarNames();
  // Each waits for the disk more than for the processor.
  readonly #limit = new Limit(8);
  readonly #writing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  readonly #counts = { created: 0, updated: 0, unchanged: 0, kept: 0, failed: 0 };

  private constructor(naming: SidecarNaming, flags: XmpFlags) {
    this.#naming = naming;
    this.#flags = flags;
  }

  /** Those that the flags ask for; undefined without --xmp. Ends the command when other flags need it. */
  static of(flags: XmpFlags, command: Command): XmpRatings | undefined {
    if (flags.xmp) return new XmpRatings(flags.xmp, flags);
    const alone = (Object.keys(flagOf) as (keyof typeof flagOf)[]).find((name) => flags[name] !== undefined);
    if (alone) command.error(`error: ${flagOf[alone]}: give --xmp too`, { exitCode: 2 });
    return undefined;
  }

  /** @throws Error when scores of this scale need bands that are not given */
  expectScale({ range }: XmpScale): void {
    if (!this.#flags.xmpBands && !range.every(Number.isFinite)) {
      throw new Error("--xmp: the scale of these scores has no end that could be divided; give --xmp-bands");
    }
  }

  /** Begins to write the sidecar of a picture. @param told gets what became of it, or what went wrong */
  begin(picture: string, scored: Omit<RatedScore, "range">, scale: XmpScale, told: (words: string) => void): void {
    const work = this.#limit
      .run(() => this.#write(picture, scored, scale))
      .then(told)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#writing.delete(work));
    this.#writing.add(work);
  }

  /** Waits for all that was begun. @throws what those threw who were told */
  async done(): Promise<void> {
    await Promise.all(this.#writing);
    if (this.#failure) throw this.#failure.error;
  }

  async #write(
    picture: string,
    scored: Omit<RatedScore, "range">,
    { range, lowerIsBetter }: XmpScale,
  ): Promise<string> {
    const { xmpBands, xmpLabels, xmpOverwrite, xmpDryRun } = this.#flags;
    const options = {
      naming: this.#naming,
      ...(xmpBands && { bands: xmpBands }),
      ...(xmpLabels && { labels: xmpLabels }),
      ...(lowerIsBetter && { lowerIsBetter }),
      overwrite: xmpOverwrite === true,
      dryRun: xmpDryRun === true,
      names: this.#names,
    };
    try {
      const written = await writeRating(picture, { ...scored, range }, options);
      this.#counts[written.change]++;
      if (written.keptRating !== undefined) this.#counts.kept++;
      return this.#words(written);
    } catch (error) {
      this.#counts.failed++;
      return `error: ${(error as Error).message}`;
    }
  }

  #words({ change, rating, keptRating, keptLabel, note, sidecar }: WrittenRating): string {
    const would = this.#flags.xmpDryRun && change !== "unchanged" ? "would be " : "";
    const stars =
      keptRating === undefined
        ? `${rating} ${rating === 1 ? "star" : "stars"}`
        : `a person's ${keptRating === "" ? "lack of stars" : `${keptRating}`} kept (the score's are ${rating})`;
    const label = keptLabel === undefined ? [] : [`a person's label ${keptLabel ? `${keptLabel} ` : ""}kept`];
    return [`${would}${change}: ${stars}`, ...label, ...(note ? [`${printable(sidecar)}, as ${note}`] : [])].join("; ");
  }

  /** One sentence of all sidecars. */
  get summary(): string {
    const { created, updated, unchanged, kept, failed } = this.#counts;
    const would = this.#flags.xmpDryRun ? " would be" : "";
    const parts = [
      `${created}${would} created`,
      `${updated}${would} updated`,
      `${unchanged} unchanged`,
      ...(kept > 0 ? [`${kept} with a rating of a person that is kept`] : []),
      ...(failed > 0 ? [`${failed} could not be written`] : []),
    ];
    return `sidecars: ${parts.join(", ")}`;
  }

  get failed(): number {
    return this.#counts.failed;
  }
}
