import {
  type ClassEvaluation,
  constantClasses,
  evaluateClasses,
  meanInterval,
  unbeatenConstants,
} from "../metrics/index.ts";
import { constantsSentence } from "../report/class-table.ts";
import {
  type ClassRow,
  type ClassTable,
  classMeasureNames,
  type MeanWithError,
  type Measure,
} from "../report/experiment/experiment-record.ts";
import { classOfMos } from "../training/class-results.ts";
import type { Progress } from "../training/training.ts";
import type { Settings } from "./settings.ts";
import { spread } from "./summary.ts";

/** A test picture with its class and the one that was predicted. */
export interface ClassedPicture {
  readonly name: string;
  readonly predicted: number;
  readonly truth: number;
}

/** What is known of a variant: its test pictures by repeat, undefined where it has none. */
export interface ClassedVariant {
  readonly name: string;
  readonly classes: number;
  readonly runs: readonly (readonly ClassedPicture[] | undefined)[];
}

/** How many classes a variant tells, by its head or by the setting `classes`; 0 for none. */
export function classCount({ head, levels, classes }: Pick<Settings, "head" | "levels" | "classes">): number {
  return head === "classes" ? levels : classes;
}

/** The classes of test pictures: those that the network told, or its scores cut into classes of equal width. */
export function classedPictures(
  predictions: Progress["predictions"],
  settings: Pick<Settings, "head" | "levels" | "classes">,
  range: readonly [number, number],
): ClassedPicture[] {
  const classes = classCount(settings);
  return predictions.flatMap(({ name, mos, score, class: told, trueClass }): ClassedPicture[] => {
    if (settings.head === "classes")
      return told === undefined || trueClass === undefined ? [] : [{ name, predicted: told, truth: trueClass }];
    if (mos === undefined || classes === 0) return [];
    return [{ name, predicted: classOfMos(score, range, classes), truth: classOfMos(mos, range, classes) }];
  });
}

/**
 * One table for the variants whose test pictures have the same true classes, with every constant predictor on the same pictures.
 * @param baseline name of the variant that differences are taken to, in its own table
 */
export function classTables(variants: readonly ClassedVariant[], baseline: string): ClassTable[] {
  const groups: ClassedVariant[][] = [];
  for (const variant of variants) {
    if (!variant.runs.some((run) => run?.length)) continue;
    const own = groups.find(([first]) => sameTruth(first!, variant));
    if (own) own.push(variant);
    else groups.push([variant]);
  }
  return groups.map((group) => tableOf(group, baseline));
}

function sameTruth(a: ClassedVariant, b: ClassedVariant): boolean {
  if (a.classes !== b.classes) return false;
  return a.runs.every((run, i) => {
    const truth = new Map(run?.map((picture) => [picture.name, picture.truth]));
    return (b.runs[i] ?? []).every((picture) => (truth.get(picture.name) ?? picture.truth) === picture.truth);
  });
}

function tableOf(group: readonly ClassedVariant[], baseline: string): ClassTable {
  const { classes } = group[0]!;
  const counted = ({ runs }: ClassedVariant) => runs.flatMap((run) => run ?? []).length;
  const fullest = group.reduce((most, variant) => (counted(variant) > counted(most) ? variant : most));
  const base = group.find(({ name }) => name === baseline);
  const constants = Array.from({ length: classes }, (_, constant) => ({
    constant,
    name: `always ${constant}`,
    classes,
    runs: fullest.runs.map((run) => run?.map((picture) => ({ ...picture, predicted: constant }))),
  }));
  const truth = fullest.runs.flatMap((run) => run?.map((picture) => picture.truth) ?? []);
  return {
    classes,
    counts: Array.from({ length: classes }, (_, c) => truth.filter((own) => own === c).length),
    eachOnce: group.every(testedOnce),
    rows: [
      ...group.map((variant) => ({ ...rowOf(variant, base), sentence: sentenceOf(variant) })),
      ...constants.map(({ constant, ...variant }) => ({ ...rowOf(variant, base), constant })),
    ],
  };
}

function testedOnce({ runs }: Pick<ClassedVariant, "runs">): boolean {
  const names = runs.flatMap((run) => run?.map(({ name }) => name) ?? []);
  return new Set(names).size === names.length;
}

function rowOf(variant: ClassedVariant, base: ClassedVariant | undefined): ClassRow {
  const { name, classes, runs } = variant;
  const evaluations = runs.map((run) => (run?.length ? evaluationOf(run, classes) : undefined));
  const over = (of: (evaluation: ClassEvaluation) => number) =>
    withError(evaluations.flatMap((evaluation) => (evaluation ? [of(evaluation)] : [])));
  const pictures = runs.flatMap((run) => run ?? []);
  const together = withError(pictures.map(error));
  const difference = base && base !== variant ? differenceOf(variant, base) : undefined;
  return {
    name,
    maes: evaluations.map((evaluation) => evaluation?.mae ?? null),
    measures: Object.fromEntries(
      classMeasureNames.map((measure) => [measure, over((evaluation) => evaluation[measure])]),
    ) as ClassRow["measures"],
    mae: over(({ mae }) => mae),
    maeByClass: Array.from({ length: classes }, (_, c) => over((evaluation) => evaluation.classes[c]!.mae)),
    maeOfHighestTwo: over(({ maeOfHighestTwo }) => maeOfHighestTwo),
    pooled: { n: pictures.length, ...together, ...(!testedOnce(variant) && { standardError: null }) },
    ...(difference && { difference }),
  };
}

function differenceOf(variant: ClassedVariant, base: ClassedVariant): ClassRow["difference"] {
  const over = testedOnce(variant) && testedOnce(base) ? "pictures" : "repeats";
  const differences = variant.runs.flatMap((run, i) => {
    const others = new Map(base.runs[i]?.map((picture) => [picture.name, picture]));
    const own = (run ?? []).flatMap((picture) => {
      const other = others.get(picture.name);
      return other ? [error(picture) - error(other)] : [];
    });
    return over === "pictures" || own.length === 0 ? own : [mean(own)];
  });
  if (differences.length === 0) return undefined;
  const interval = meanInterval(differences);
  const ends = { low: interval?.low ?? null, high: interval?.high ?? null };
  return { over, n: differences.length, mean: mean(differences), ...ends };
}

/** Whether always answering one class is as good, on the pictures of the variant. */
function sentenceOf({ name, classes, runs }: ClassedVariant): string {
  const pictures = runs.flatMap((run) => run ?? []);
  const evaluation = evaluationOf(pictures, classes);
  const constants = constantClasses(
    pictures.map(({ truth }) => truth),
    classes,
  );
  return constantsSentence({ name, evaluation, constants, unbeaten: unbeatenConstants(evaluation, constants) });
}

function evaluationOf(pictures: readonly ClassedPicture[], classes: number): ClassEvaluation {
  const [predicted, truth] = [pictures.map((picture) => picture.predicted), pictures.map((picture) => picture.truth)];
  return evaluateClasses(predicted, truth, classes);
}

const error = ({ predicted, truth }: ClassedPicture) => Math.abs(predicted - truth);

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of what is a number. */
function withError(values: readonly number[]): MeanWithError {
  const { n, mean, sd } = spread(values.map((value): Measure => (Number.isFinite(value) ? value : null)));
  return { mean, standardError: sd === null ? null : sd / Math.sqrt(n) };
}
