import { type MosRange, withoutCopiesOf } from "../data/index.ts";
import { divide, shareOf, withLabelNoise } from "../data/protocol.ts";
import type { PseudoLabelOptions } from "../labels/pseudo-label-file.ts";
import { givesProbabilities } from "../networks/heads.ts";
import type { ExperimentRun, Repeat } from "../report/experiment/experiment-record.ts";
import { classOfMos } from "../training/class-results.ts";
import type { Method, Phase } from "../training/method.ts";
import type { TrainingOptions } from "../training/options.ts";
import { phaseOptions, takesUnlabelled } from "../training/phase-options.ts";
import type { TrainingData } from "../training/training.ts";
import { lengthened } from "./as-long.ts";
import { repeatsOf, type Variant, variantsOf } from "./expand.ts";
import { trainingKey } from "./key.ts";
import { type Recipe, RecipeError } from "./recipe.ts";
import { methodOf, optionsOf, type Settings } from "./settings.ts";
import {
  type HashedRow,
  type HashedSet,
  hashFile,
  type OpenedSource,
  openSource,
  type SourceHooks,
} from "./sources.ts";
import type { ExperimentStore } from "./store.ts";

type Rated = HashedRow & { readonly mos: number };

/** The parts of a run's data, each picture with the content of its file. */
export interface RunData extends TrainingData {
  readonly labelled: readonly Rated[];
  readonly unlabelled: readonly HashedRow[];
  readonly ranked?: readonly HashedSet[];
  readonly validation: readonly Rated[];
  readonly test: readonly Rated[];
}

/** One phase of a method to train. */
export interface PlannedTraining {
  readonly key: string;
  readonly method: Method;
  readonly phase: Phase;
  /** Place of the phase in the method, the first being 1. */
  readonly stage: number;
  /** Of this phase alone. */
  readonly options: TrainingOptions;
  readonly data: RunData;
  /** Weights files that the network starts from. */
  readonly init?: readonly string[];
  /** The training that it goes on from. */
  readonly from?: PlannedTraining;
  /** Labels that it learns beside those of its data. */
  readonly labels?: PlannedLabels;
}

/** Labels that another run's final model gives. */
export interface PlannedLabels {
  readonly by: PlannedTraining;
  readonly pool: readonly HashedRow[];
  readonly use: Required<Pick<PseudoLabelOptions, "weight" | "target" | "leastConfidence">>;
}

/** One variant with the seeds of one repeat: a training for each phase of its method, each going on from the one before. */
export interface PlannedRun {
  readonly variant: Variant;
  readonly repeat: Repeat;
  readonly data: RunData;
  /** Labelled pictures whose MOS noise changed. */
  readonly noisy: number;
  readonly trainings: readonly PlannedTraining[];
  /** Sentences. */
  readonly notes: readonly string[];
}

export interface OpenedSources {
  readonly data: OpenedSource;
  readonly range: MosRange;
  readonly unlabelled: ReadonlyMap<string, OpenedSource>;
  /** Those whose folder is known. */
  readonly crossData: ReadonlyMap<string, OpenedSource & { readonly range: MosRange }>;
  /** Sentences. */
  readonly notes: readonly string[];
}

export interface Plan {
  readonly recipe: Recipe;
  readonly variants: readonly Variant[];
  readonly repeats: readonly Repeat[];
  readonly sources: OpenedSources;
  /** All variants with the seeds of the first repeat, then with those of the second, and so on. */
  readonly runs: readonly PlannedRun[];
}

/** What a training's bits depend on beside its data and options. */
export interface Surroundings {
  readonly adapter: string;
  readonly version: string;
}

/**
 * Reads the data of a recipe and says what has to be trained.
 * @throws RecipeError when the recipe means nothing, or does not say where pictures lie; DatasetError
 */
export async function planExperiment(
  recipe: Recipe,
  store: ExperimentStore,
  surroundings: Surroundings,
  hooks: SourceHooks = {},
): Promise<Plan> {
  const variants = variantsOf(recipe);
  const repeats = repeatsOf(recipe);
  const sources = await openSources(recipe, variants, store, hooks);
  const hashes = new Map<string, string>();
  for (const file of new Set(variants.flatMap(({ files }) => files))) {
    const hash = hashFile(file).catch((cause: Error) => {
      throw new RecipeError(`a weights file cannot be read: ${cause.message}`, { cause });
    });
    hashes.set(file, await hash);
  }
  const runs = repeats.flatMap((repeat) => {
    const planned = new Map<string, PlannedRun>();
    const plan = (variant: Variant): PlannedRun => {
      const { labelledBy, asLongAs } = variant.settings;
      const known = planned.get(variant.name);
      if (known) return known;
      const other = (wanted: string) => variants.find(({ name }) => name === wanted);
      const [teacher, model] = [other(labelledBy), other(asLongAs)];
      const by = teacher && plan(teacher).trainings.at(-1)!;
      const asLong = model && plan(model).trainings;
      try {
        const linked = { ...(by && { by }), ...(asLong && { asLong }) };
        const run = planRun(variant, repeat, sources, { ...surroundings, hashes, ...linked });
        planned.set(variant.name, run);
        return run;
      } catch (error) {
        const where = `variant "${variant.name}", ${splitName(repeat)}`;
        throw new RecipeError(`${where}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    };
    return variants.map(plan);
  });
  return { recipe, variants, repeats, sources, runs };
}

async function openSources(
  recipe: Recipe,
  variants: readonly Variant[],
  store: ExperimentStore,
  hooks: SourceHooks,
): Promise<OpenedSources> {
  const data = await openSource("data", recipe.data, store, hooks);
  if (!data.range) throw new RecipeError("data holds no MOS; give its scores with csv or dataset");
  const notes: string[] = [];
  const used = new Set(variants.flatMap(({ settings }) => settings.moreUnlabelled));
  const unlabelled = new Map<string, OpenedSource>();
  for (const name of used) unlabelled.set(name, await openSource(name, recipe.unlabelled[name]!, store, hooks));
  const crossData = new Map<string, OpenedSource & { range: MosRange }>();
  for (const [name, source] of Object.entries(recipe.crossData)) {
    if (!source.folder) {
      notes.push(`not tested on ${name}: its folder was not given (--folder ${name}=FOLDER)`);
      continue;
    }
    const opened = await openSource(name, source, store, hooks);
    if (!opened.range) throw new RecipeError(`crossData.${name} holds no MOS; give its scores with csv or dataset`);
    crossData.set(name, { ...opened, range: opened.range });
  }
  return { data, range: data.range, unlabelled, crossData, notes };
}

function planRun(
  variant: Variant,
  repeat: Repeat,
  sources: OpenedSources,
  given: Surroundings & {
    readonly hashes: ReadonlyMap<string, string>;
    readonly by?: PlannedTraining;
    readonly asLong?: readonly PlannedTraining[];
  },
): PlannedRun {
  const { data, noisy, notes } = dataOf(variant, repeat, sources);
  const { settings, files, missing } = variant;
  if (missing.length > 0)
    throw new RecipeError(
      `the weights file of ${missing.join(" and ")} was not given; give ${missing.map((part) => `--weights ${part}=FILE`).join(" ")}, or leave the variant out with --only`,
    );
  if (settings.frozen > 0 && files.length === 0) {
    throw new RecipeError(
      `frozen ${settings.frozen}: sections that are not trained need start weights; give --init FILE, or --weights ${settings.backbone}=FILE`,
    );
  }
  const method = methodOf(settings.method);
  const { adapter, version, by, asLong } = given;
  const own = optionsOf(settings, repeat.training);
  const all = asLong ? lengthened(own, asLong, { settings, method, data, notes }) : own;
  const labels = by && labelsOf(by, data.unlabelled, settings);
  if (labels) notes.push(`${labels.pool.length} unlabelled pictures are labelled by "${settings.labelledBy}"`);
  const trainings: PlannedTraining[] = [];
  for (const [index, phase] of method.phases(all).entries()) {
    if (phase.epochs === 0) continue;
    if (takesUnlabelled(phase) && data.unlabelled.length === 0) {
      notes.push(`there are no unlabelled pictures for ${phase.name}, which is left out`);
      continue;
    }
    const stage = index + 1;
    const from = trainings.at(-1);
    const used = { ...dataOfPhase(phase, data), options: phaseOptions(method, all, index) };
    const start = from?.key ?? (files.map((file) => given.hashes.get(file)!).join(" ") || null);
    const taught = labels && { labels: { ...labels, by: labels.by.key } };
    const key = trainingKey({ ...used, ...taught, method: method.name, stage, start, adapter, version });
    const beginning = from ? { from } : files.length > 0 ? { init: files } : {};
    const { options, ...seen } = used;
    trainings.push({ key, method, phase, stage, options, data: seen, ...beginning, ...(labels && { labels }) });
  }
  if (trainings.length === 0) throw new RecipeError(`nothing would be trained: ${notes.join("; ")}`);
  return { variant, repeat, data, noisy, trainings, notes };
}

/** @throws RecipeError when there is nothing to label, or no confidence to weigh by */
function labelsOf(by: PlannedTraining, pool: readonly HashedRow[], settings: Settings): PlannedLabels {
  const { labelledBy, labelWeight: weight, labelTarget: target, leastConfidence } = settings;
  if (pool.length === 0)
    throw new RecipeError(
      `labelledBy "${labelledBy}": there are no unlabelled pictures; give some, or a ratio of three numbers`,
    );
  if (!givesProbabilities(by.options.head) && (weight === "confidence" || leastConfidence > 0)) {
    throw new RecipeError(
      `labelledBy "${labelledBy}": a network with the head ${by.options.head} does not say how sure it is; give labelWeight "one" and no leastConfidence`,
    );
  }
  const { head, levels } = by.options;
  const ownKind = head === settings.head && givesProbabilities(head) && (target === "soft" || head === "classes");
  if (ownKind && levels !== settings.levels) {
    throw new RecipeError(
      `levels ${settings.levels}: "${labelledBy}" tells ${levels} ${head === "classes" ? "classes" : "levels"}; give levels ${levels}${head === "classes" ? "" : ', or labelTarget "hard" to learn scores'}`,
    );
  }
  return { by, pool, use: { weight, target, leastConfidence } };
}

/** What a phase sees of the data of a run. */
export function dataOfPhase(phase: Phase, data: RunData): RunData {
  return takesUnlabelled(phase) ? data : { ...data, unlabelled: [] };
}

/** "split 1", "fold 2, split 1": what says which pictures are in which part. */
export function splitName({ split, fold }: Repeat): string {
  return fold === undefined ? `split ${split}` : `fold ${fold}, split ${split}`;
}

/** Pictures in the parts of a run. */
export function partSizes({ data, noisy }: Pick<PlannedRun, "data" | "noisy">): ExperimentRun["parts"] {
  const { labelled, unlabelled, ranked = [], validation, test } = data;
  return {
    labelled: labelled.length,
    ...(ranked.length > 0 && { ranked: ranked.length }),
    unlabelled: unlabelled.length,
    validation: validation.length,
    test: test.length,
    ...(noisy > 0 && { noisy }),
  };
}

/**
 * The parts that a variant sees with the seeds of a repeat. Unlabelled pictures with the bytes of one of the validation or test
 * part are left out; labelled ones that have them are counted in the notes.
 */
export function dataOf(
  { settings }: Variant,
  repeat: Repeat,
  { data, range, unlabelled: more }: Pick<OpenedSources, "data" | "range" | "unlabelled">,
): { data: RunData; noisy: number; notes: string[] } {
  const seed = repeat.split;
  const by = settings.by === "auto" ? (data.grouped ? "group" : "image") : settings.by;
  const { fold, folds } = repeat;
  const { strata, validationShare, labelledShare, unlabelledShare, remainder, rankWeight } = settings;
  const parts = divide(data.rows, {
    protocol: fold === undefined ? settings.protocol : "folds",
    ...(fold !== undefined && folds !== undefined && { fold, folds }),
    ...{ ratio: settings.ratio, seed, by, validationShare },
    ...(strata > 0 && { strata: (mos: number) => classOfMos(mos, range, strata) }),
  });
  const chosen = shareOf(parts.labelled, labelledShare, { seed, stream: "labelled share" });
  const kept = new Set(chosen);
  const rest = remainder === "unlabelled" ? parts.labelled.filter((row) => !kept.has(row)) : [];
  const rated = withLabelNoise(chosen, settings.labelNoise, { seed, range });
  const { validation, test } = parts;
  const wanted = rankWeight > 0 ? data.ranked : [];
  const ranked = withoutCopiesOf(wanted, [...validation, ...test]);
  const held = new Set([...validation, ...test].map(({ sha256 }) => sha256));
  const isHeld = ({ sha256 }: HashedRow) => held.has(sha256);
  const found = [
    ...shareOf(parts.unlabelled, unlabelledShare, { seed, stream: "unlabelled share" }),
    ...rest,
    ...settings.moreUnlabelled.flatMap((name) => more.get(name)!.rows.map((row) => unratedRow(row, name))),
  ];
  const unlabelled = found.filter((row) => !isHeld(row));
  const noisy = rated.filter(({ mos }, i) => mos !== chosen[i]!.mos).length;
  const split = parts.description;
  return {
    data: { labelled: rated, unlabelled, ...(ranked.length > 0 && { ranked }), validation, test, range, split },
    noisy,
    notes: [
      ...sentence(found.length - unlabelled.length, "unlabelled", "left out"),
      ...(wanted.length > ranked.length
        ? [`${wanted.length - ranked.length} ranked sets of validation or test pictures were left out`]
        : []),
      ...sentence(rated.filter(isHeld).length, "labelled", "trained on all the same"),
    ],
  };
}

function sentence(count: number, what: string, fate: string): string[] {
  if (count === 0) return [];
  return [`${count} ${what} pictures with the bytes of one of the validation or test part were ${fate}`];
}

/** A picture of a further data set: its score, on a scale of its own, is not looked at. */
function unratedRow({ name, path, sha256 }: HashedRow, source: string): HashedRow {
  return { name: `${source}/${name}`, path, sha256 };
}
