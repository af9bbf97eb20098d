import type { MosRange } from "../data/range.ts";
import { classOf, HIGHEST, LOWEST, normaliseMos } from "../labels/labels.ts";
import {
  type ClassEvaluation,
  type ConstantClass,
  constantClasses,
  evaluateClasses,
  mostFrequentClass,
  type UnbeatenConstant,
  unbeatenConstants,
} from "../metrics/index.ts";

/** What a network that tells classes reached, beside what always answering one class does on the same pictures. */
export interface ClassResult {
  readonly name: string;
  readonly evaluation: ClassEvaluation;
  /** The lowest class first. */
  readonly constants: readonly ConstantClass[];
  /** Most frequent class of the labelled part, where it is known. */
  readonly mostFrequent?: number;
  /** Where constants are at least as good. */
  readonly unbeaten: readonly UnbeatenConstant[];
}

/** A picture's most probable class and its MOS. */
export interface ClassedPicture {
  readonly class: number;
  /** Expectation over the middles of the classes, on the model's scale; that of the class alone unless given. */
  readonly score?: number;
  readonly mos: number;
}

/**
 * Compares predicted classes with those that the scores lie in, cut as the labels of the head `classes` are.
 * @param name of the model
 * @param options `range` of the network's labels; `labelled`: the MOS that it was trained on
 * @returns undefined for no picture
 */
export function classResult(
  name: string,
  pictures: readonly ClassedPicture[],
  options: { readonly classes: number; readonly range: MosRange; readonly labelled?: readonly number[] },
): ClassResult | undefined {
  if (pictures.length === 0) return undefined;
  const { classes, range, labelled = [] } = options;
  const truth = pictures.map(({ mos }) => classOfMos(mos, range, classes));
  const evaluation = evaluateClasses(
    pictures.map((picture) => picture.class),
    truth,
    classes,
    pictures.map((picture) =>
      picture.score === undefined ? picture.class : expectedClass(picture.score, range, classes),
    ),
  );
  const constants = constantClasses(truth, classes);
  const known = labelled.map((mos) => classOfMos(mos, range, classes));
  return {
    name,
    evaluation,
    constants,
    ...(known.length > 0 && { mostFrequent: mostFrequentClass(known, classes) }),
    unbeaten: unbeatenConstants(evaluation, constants),
  };
}

/** Where a score lies among the middles of the classes, 0 being that of the lowest. */
function expectedClass(score: number, [low, high]: MosRange, classes: number): number {
  return ((score - low) / (high - low)) * classes - 0.5;
}

/** The class of equal width that a MOS lies in; one beyond the ends of the range is of the class at that end. */
export function classOfMos(mos: number, range: MosRange, classes: number): number {
  return classOf(Math.max(LOWEST, Math.min(HIGHEST, normaliseMos(mos, range))), classes);
}
