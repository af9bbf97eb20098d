import { mae } from "./linear.ts";
import { MetricError, type Scores } from "./pairs.ts";

/** Agreement of predicted and true classes. Errors are in classes: 1 is the neighbour. What no picture tells is NaN. */
export interface ClassEvaluation {
  /** Number of pictures. */
  readonly n: number;
  /** Share of the pictures in their true class. */
  readonly accuracy: number;
  /** Mean of F1 = 2 TP / (2 TP + FP + FN) over the classes that are true or predicted at least once. */
  readonly macroF1: number;
  /** Cohen's kappa with weights (i − j)²: 1 is agreement, 0 chance; NaN when all is one class, true and predicted. */
  readonly quadraticKappa: number;
  /** Mean absolute error over all pictures. */
  readonly mae: number;
  /** The same of the expected classes, which may lie between two. */
  readonly maeOfExpectation: number;
  /** Over the pictures of the two highest classes together. */
  readonly maeOfHighestTwo: number;
  /** By true class, the lowest first. */
  readonly classes: readonly ClassFigures[];
}

export interface ClassFigures {
  /** Pictures of the class. */
  readonly n: number;
  /** Pictures predicted to be of it. */
  readonly predicted: number;
  /** Over the pictures of the class. */
  readonly mae: number;
  /** NaN when the class is neither true nor predicted. */
  readonly f1: number;
}

/** Always answering one class. */
export interface ConstantClass {
  readonly class: number;
  readonly evaluation: ClassEvaluation;
}

/** A place where a constant is at least as good as a model in mean absolute error. */
export interface UnbeatenConstant {
  /** A class, the two highest together, or all pictures. */
  readonly place: number | "highest two" | "all";
  /** The best constant there; in a class, the best of another class. */
  readonly constant: number;
  readonly constantMae: number;
  readonly mae: number;
}

/**
 * Compares predicted classes with true ones.
 * @param predicted one class per picture, an integer from 0, the lowest quality
 * @param truth same order
 * @param classes how many classes there are
 * @param expected expectation of the class over the predicted probabilities; the predicted class unless given
 * @throws MetricError on different lengths, no picture, fewer than 2 classes, or a class that is none of them
 */
export function evaluateClasses(
  predicted: Scores,
  truth: Scores,
  classes: number,
  expected: Scores = predicted,
): ClassEvaluation {
  const counts = confusion(predicted, truth, classes);
  const every = Array.from({ length: classes }, (_, c) => c);
  const n = truth.length;
  const trueCounts = every.map((c) => total(counts[c]!));
  const predictedCounts = every.map((c) => total(every.map((t) => counts[t]![c]!)));
  const errors = every.map((t) => total(every.map((p) => counts[t]![p]! * Math.abs(t - p))));
  const figures = every.map(
    (c): ClassFigures => ({
      n: trueCounts[c]!,
      predicted: predictedCounts[c]!,
      mae: errors[c]! / trueCounts[c]!,
      f1: (2 * counts[c]![c]!) / (trueCounts[c]! + predictedCounts[c]!),
    }),
  );
  const occurring = figures.filter(({ f1 }) => !Number.isNaN(f1));
  return {
    n,
    accuracy: total(every.map((c) => counts[c]![c]!)) / n,
    macroF1: total(occurring.map(({ f1 }) => f1)) / occurring.length,
    quadraticKappa: quadraticKappa(counts, trueCounts, predictedCounts),
    mae: total(errors) / n,
    maeOfExpectation: mae(expected, truth),
    maeOfHighestTwo: total(errors.slice(-2)) / total(trueCounts.slice(-2)),
    classes: figures,
  };
}

/** Every constant predictor on the same pictures, the lowest class first. @throws MetricError as {@link evaluateClasses} */
export function constantClasses(truth: Scores, classes: number): ConstantClass[] {
  checkCount(classes);
  return Array.from({ length: classes }, (_, constant) => ({
    class: constant,
    evaluation: evaluateClasses(new Uint32Array(truth.length).fill(constant), truth, classes),
  }));
}

/** The class that occurs most often, of equals the lowest. @throws MetricError as {@link evaluateClasses} */
export function mostFrequentClass(truth: Scores, classes: number): number {
  const counts = confusion(truth, truth, classes).map(total);
  return counts.indexOf(Math.max(...counts));
}

/**
 * Where constants are at least as good as a model. A constant is always right in its own class, so a class is compared with
 * the constants of the others; places without pictures are left out.
 */
export function unbeatenConstants(
  evaluation: ClassEvaluation,
  constants: readonly ConstantClass[],
): UnbeatenConstant[] {
  const places = [...evaluation.classes.keys(), "highest two" as const, "all" as const];
  return places.flatMap((place) => {
    const others = constants.filter((constant) => constant.class !== place);
    const maes = others.map((constant) => maeAt(constant.evaluation, place));
    const best = Math.min(...maes);
    const mae = maeAt(evaluation, place);
    if (!(best <= mae)) return [];
    return [{ place, constant: others[maes.indexOf(best)]!.class, constantMae: best, mae }];
  });
}

function maeAt(evaluation: ClassEvaluation, place: UnbeatenConstant["place"]): number {
  if (place === "all") return evaluation.mae;
  return place === "highest two" ? evaluation.maeOfHighestTwo : evaluation.classes[place]!.mae;
}

/** κ = 1 − Σ w_ij O_ij / Σ w_ij E_ij with w_ij = (i − j)² and E_ij = row_i · column_j / n. */
function quadraticKappa(counts: readonly number[][], rows: readonly number[], columns: readonly number[]): number {
  const n = total(rows);
  let observed = 0;
  let expected = 0;
  rows.forEach((row, i) => {
    columns.forEach((column, j) => {
      observed += (i - j) ** 2 * counts[i]![j]!;
      expected += ((i - j) ** 2 * row * column) / n;
    });
  });
  return expected === 0 ? Number.NaN : 1 - observed / expected;
}

/** How often each true class (row) was predicted to be each class (column). */
function confusion(predicted: Scores, truth: Scores, classes: number): number[][] {
  checkCount(classes);
  if (predicted.length !== truth.length) {
    throw new MetricError(
      `There are ${predicted.length} predicted classes but ${truth.length} true ones; pass one of each per picture.`,
    );
  }
  if (truth.length === 0) throw new MetricError("These metrics need at least 1 picture, got 0.");
  checkClasses("predicted", predicted, classes);
  checkClasses("true", truth, classes);
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) counts[truth[i]!]![predicted[i]!]! += 1;
  return counts;
}

function checkCount(classes: number): void {
  if (Number.isInteger(classes) && classes >= 2) return;
  throw new MetricError(`There must be at least 2 classes, a whole number, got ${classes}.`);
}

function checkClasses(kind: string, values: Scores, classes: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isInteger(value) && value >= 0 && value < classes) continue;
    throw new MetricError(
      `The ${kind} class at index ${i} is ${value}; of ${classes} classes it must be a whole number from 0 to ${classes - 1}.`,
    );
  }
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
