import type { RunRecord } from "../../training/run-record.ts";

/** A number, or null where it is undefined (a correlation with a constant list) or not at hand. JSON has no NaN. */
export type Measure = number | null;

/** The measures that tables compare; higher is better for the correlations, lower for RMSE and MAE, 1 is best for the slope. */
export const measureNames = ["srcc", "krcc", "plcc", "plccFitted", "rmse", "rmseFitted", "mae", "slope"] as const;
export type MeasureName = (typeof measureNames)[number];

/**
 * Agreement of a model's scores with the MOS of one part. `part` is "test", "validation", or the name of a further data set
 * as the recipe calls it, on which nothing was refitted: the model's scores were mapped from its range to that set's.
 * RMSE and MAE are in units of the part's MOS; `plccFitted` and `rmseFitted` are after the logistic fitted on the part.
 */
export interface PartResult extends Readonly<Record<MeasureName, Measure>> {
  readonly part: string;
  /** The model: after which phase of its method, the first being 1. */
  readonly stage: number;
  /** Pictures. */
  readonly n: number;
}

/** A measure over the repeats: `sd` is the sample standard deviation, null for fewer than two values. */
export interface Spread {
  /** Values there were. */
  readonly n: number;
  readonly median: Measure;
  readonly mean: Measure;
  readonly sd: Measure;
  readonly min: Measure;
  readonly max: Measure;
}

/** Seeds of one repeat, and its fold. */
export interface Repeat {
  /** Of the split, the shares and the label noise. */
  readonly split: number;
  /** Of start weights, batches and crops. */
  readonly training: number;
  /** The fold that is tested, the first being 1, of so many; absent where the test part is not one of several folds. */
  readonly fold?: number;
  readonly folds?: number;
}

/** One variant trained once. */
export interface ExperimentRun {
  readonly repeat: Repeat;
  /** `missing`: not run yet, because the experiment was interrupted. */
  readonly status: "finished" | "failed" | "missing";
  /** Why it failed. */
  readonly error?: string;
  /** The trainings it is made of; `cached` ones were finished before this call. */
  readonly trainings: readonly {
    /** Place of the phase in the method, the first being 1. */
    readonly stage: number;
    /** SHA-256 of what the training depends on; its folder in the store begins with it. */
    readonly key: string;
    readonly folder: string;
    readonly cached: boolean;
    readonly seconds: number;
  }[];
  /** Pictures in each part; `ranked`: sets of degraded copies; `noisy`: labelled ones whose MOS was changed by noise. */
  readonly parts: {
    readonly labelled: number;
    readonly ranked?: number;
    readonly unlabelled: number;
    readonly validation: number;
    readonly test: number;
    readonly noisy?: number;
  };
  /** After each stage, of every part. */
  readonly results: readonly PartResult[];
  readonly phases: RunRecord["phases"];
  readonly losses: RunRecord["losses"];
  readonly refreshes: RunRecord["refreshes"];
  /** Of the test part after each epoch of the last phase; absent where it was not asked for. */
  readonly epochTests?: RunRecord["epochTests"];
  /** Of the final model's predicted distributions on the test part; absent in runs of earlier versions. */
  readonly reliability?: NonNullable<RunRecord["reliability"]>[number];
  readonly distributions?: RunRecord["distributions"];
  /** Test part; given for the first finished repeat of a variant. */
  readonly predictions?: RunRecord["predictions"];
  /** Of the last refresh; given for the first finished repeat of a variant. */
  readonly pseudoLabels?: RunRecord["pseudoLabels"];
  /** Sentences. */
  readonly notes: readonly string[];
}

/** The final models of a variant on one part, over its finished repeats. */
export interface PartSummary {
  readonly part: string;
  readonly measures: Readonly<Record<MeasureName, Spread>>;
  /** Variant minus baseline, repeat by repeat, over the repeats that both finished; absent for the baseline itself. */
  readonly difference?: Readonly<Record<MeasureName, Spread>>;
}

/** The network of a variant, on the adapter of the experiment. */
export interface NetworkFigures {
  /** Numbers that are weights, those that stay as they are among them. */
  readonly parameters: number;
  /** Views through the whole network in evaluation, a batch at a time, decoding left out. */
  readonly picturesPerSecond: number;
}

export interface ExperimentVariant {
  readonly name: string;
  /** What it changes of the recipe's base settings. */
  readonly changes: Readonly<Record<string, unknown>>;
  /** All settings in force: options of the method, and of split, shares and noise. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** In order of the recipe's repeats. */
  readonly runs: readonly ExperimentRun[];
  readonly summary: readonly PartSummary[];
  /** Training of one repeat, stages that others share included; seconds. */
  readonly seconds: Spread;
  /** Where the recipe asks for it. */
  readonly network?: NetworkFigures;
  /** SRCC of the best epoch of the last phase by the test part minus that of the last epoch; absent where no epoch was tested. */
  readonly chosenByTest?: Spread;
}

/** A number over the repeats: mean, and standard error sd / √n, null for fewer than two. */
export interface MeanWithError {
  readonly mean: Measure;
  readonly standardError: Measure;
}

/** What tables compare of classes beside the mean absolute error; higher is better for each. */
export const classMeasureNames = ["accuracy", "macroF1", "quadraticKappa"] as const;

/** How the classes of a variant, or of a constant predictor, agree with those of the test parts. Errors are in classes. */
export interface ClassRow {
  readonly name: string;
  /** The class that it always answers; absent for variants. */
  readonly constant?: number;
  /** Mean absolute error of each repeat; null where there is none. */
  readonly maes: readonly Measure[];
  readonly measures: Readonly<Record<(typeof classMeasureNames)[number], MeanWithError>>;
  readonly mae: MeanWithError;
  /** By true class, the lowest first. */
  readonly maeByClass: readonly MeanWithError[];
  readonly maeOfHighestTwo: MeanWithError;
  /** Pictures of all repeats taken together. The standard error is over the pictures: null where some are tested more than once. */
  readonly pooled: { readonly n: number } & MeanWithError;
  /** MAE minus that of the baseline with its 95 % interval, of the same pictures, or of the same repeats; absent for the baseline itself. */
  readonly difference?: {
    readonly over: "pictures" | "repeats";
    readonly n: number;
    readonly mean: number;
    readonly low: Measure;
    readonly high: Measure;
  };
  /** Of variants: whether constants are as good, over the pictures of all repeats. */
  readonly sentence?: string;
}

/** Variants whose test pictures have the same true classes. */
export interface ClassTable {
  readonly classes: number;
  /** Test pictures of each class, of all repeats, of the variant that has most. */
  readonly counts: readonly number[];
  /** Whether over the repeats no picture is tested twice. */
  readonly eachOnce: boolean;
  /** The variants in their order, then every constant predictor. */
  readonly rows: readonly ClassRow[];
}

/** Everything worth knowing of an experiment, as plain JSON: what its tables and its report are made of. */
export interface ExperimentRecord {
  readonly schema: 1;
  readonly name: string;
  readonly title: string;
  readonly description?: string;
  /** What the user typed. */
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly hardware: RunRecord["hardware"];
  /** The recipe with every default filled in and every override applied. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** Ends of the MOS scale of the data set. */
  readonly range: readonly [number, number];
  readonly repeats: readonly Repeat[];
  /** Parts that there are results of: "test", "validation" where there is one, further data sets. */
  readonly parts: readonly string[];
  /** Ends of the scale of each part. */
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  /** Name of the variant that differences are taken to: the first one. */
  readonly baseline: string;
  readonly variants: readonly ExperimentVariant[];
  /** Where networks tell classes, or their scores are cut into some; absent where not, and in records of earlier versions. */
  readonly classTables?: readonly ClassTable[];
  readonly selection: {
    /** How models were selected, as a sentence. */
    readonly sentence: string;
    /** The variant with the highest median SRCC on validation, where there is a validation part. */
    readonly chosen?: string;
  };
  /** Sentences. */
  readonly notes: readonly string[];
}
