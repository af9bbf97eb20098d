import { evaluateClasses } from "../metrics/index.ts";
import type { Copy } from "./copies.ts";
import { classes, probabilitiesOf, type ReasonClass, type ReasonHead, toldReasons } from "./head.ts";

/** How well a head tells reasons on copies of photographs that it has not seen. */
export interface ReasonFigures {
  readonly copies: number;
  /** Mean of F1 over the reasons and none, the most probable one being the answer. */
  readonly macroF1: number;
  readonly f1: Readonly<Record<ReasonClass, number>>;
  /** Macro-F1 of the clean copies and those of one level. */
  readonly macroF1ByLevel: Readonly<Record<number, number>>;
  /** [true][answered] of {@link classes}, copies. */
  readonly confusion: readonly (readonly number[])[];
  /** Of each kind the share that is answered by its reason. */
  readonly byKind: Readonly<Record<string, number>>;
  /** Expected calibration error: mean distance of probability and share of right answers over ten bins of equal width. */
  readonly calibrationError: number;
  /** Share of clean copies that a reason is told for. */
  readonly cleanTold: number;
  /** Share of degraded copies that a reason is told for, and the first is right. */
  readonly degradedTold: number;
}

/** Figures of a head on copies. */
export function figuresOf(head: ReasonHead, copies: readonly Copy[]): ReasonFigures {
  const rows = copies.map((copy) => {
    const probabilities = probabilitiesOf(head, copy.statistics);
    const [first] = toldReasons(probabilities, head.least);
    return { ...copy, truth: classes.indexOf(copy.truth), answer: largest(probabilities), probabilities, first };
  });
  const evaluate = (some: typeof rows) =>
    evaluateClasses(
      some.map(({ answer }) => answer),
      some.map(({ truth }) => truth),
      classes.length,
    );
  const all = evaluate(rows);
  const levels = [...new Set(rows.map(({ level }) => level).filter((level) => level > 0))].sort();
  const clean = rows.filter(({ truth }) => truth === 0);
  const degraded = rows.filter(({ truth }) => truth > 0);
  const right = degraded.filter(({ truth, first }) => first?.reason === classes[truth]);
  const share = (some: readonly unknown[], of: readonly unknown[]) => some.length / of.length;
  const byKind = [...Map.groupBy(degraded, ({ truth, kind }) => `${classes[truth]}: ${kind}`)];
  return {
    copies: rows.length,
    macroF1: all.macroF1,
    f1: Object.fromEntries(classes.map((name, c) => [name, all.classes[c]!.f1])) as Record<ReasonClass, number>,
    macroF1ByLevel: Object.fromEntries(
      levels.map((level) => [level, evaluate(rows.filter((row) => row.level === level || row.truth === 0)).macroF1]),
    ),
    confusion: classes.map((_, t) =>
      classes.map((_, a) => rows.filter(({ truth, answer }) => truth === t && answer === a).length),
    ),
    byKind: Object.fromEntries(
      byKind.map(([kind, own]) => [kind, own.filter(({ truth, answer }) => truth === answer).length / own.length]),
    ),
    calibrationError: calibrationError(
      rows.map(({ probabilities, answer }) => probabilities[answer]!),
      rows.map(({ truth, answer }) => truth === answer),
    ),
    cleanTold: share(
      clean.filter(({ first }) => first),
      clean,
    ),
    degradedTold: share(right, degraded),
  };
}

/** Place of the largest number. */
export function largest(numbers: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i]! > numbers[best]!) best = i;
  return best;
}

const bins = 10;

/** Σ_b n_b / n · |mean probability − share of right answers| over bins of equal width (Guo et al. 2017, Eq. 3). */
export function calibrationError(probabilities: readonly number[], right: readonly boolean[]): number {
  const sums = Array.from({ length: bins }, () => 0);
  probabilities.forEach((probability, i) => {
    sums[Math.min(bins - 1, Math.floor(probability * bins))]! += probability - (right[i] ? 1 : 0);
  });
  return sums.reduce((total, sum) => total + Math.abs(sum), 0) / probabilities.length;
}
