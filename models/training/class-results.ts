import type { MosRange } from "../data/range.ts";
import { classCentres, classOf, HIGHEST, LOWEST, normaliseMos } from "../labels/labels.ts";
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
 * @param options `range` of the network's labels; `edges` of classes that are not of equal width, on [1, 100]; `labelled`: the MOS that it was trained on
 * @returns undefined for no picture
 */
export function classResult(
  name: string,
  pictures: readonly ClassedPicture[],
  options: {
    readonly classes: number;
    readonly edges?: readonly number[];
    readonly range: MosRange;
    readonly labelled?: readonly number[];
  },
): ClassResult | undefined {
  if (pictures.length === 0) return undefined;
  const { classes, range, labelled = [], edges = [] } = options;
  const truth = pictures.map(({ mos }) => classOfMos(mos, range, classes, edges));
  const evaluation = evaluateClasses(
    pictures.map((picture) => picture.class),
    truth,
    classes,
    pictures.map((picture) =>
      picture.score === undefined ? picture.class : expectedClass(picture.score, range, classes, edges),
    ),
  );
  const constants = constantClasses(truth, classes);
  const known = labelled.map((mos) => classOfMos(mos, range, classes, edges));
  return {
    name,
    evaluation,
    constants,
    ...(known.length > 0 && { mostFrequent: mostFrequentClass(known, classes) }),
    unbeaten: unbeatenConstants(evaluation, constants),
  };
}

/** Where a score lies among the middles of the classes, 0 being that of the lowest. */
function expectedClass(score: number, range: MosRange, classes: number, edges: readonly number[]): number {
  if (edges.length > 0) return placeBetween(classCentres(classes, edges), normaliseMos(score, range));
  const [low, high] = range;
  return ((score - low) / (high - low)) * classes - 0.5;
}

/** A place among ascending members, by linear interpolation, and beyond them as between the two at that end. */
function placeBetween(members: Float64Array, at: number): number {
  const last = members.length - 2;
  const i = Math.max(
    0,
    Math.min(
      last,
      members.findLastIndex((member) => member <= at),
    ),
  );
  return i + (at - members[i]!) / (members[i + 1]! - members[i]!);
}

/**
 * The class that a MOS lies in; one beyond the ends of the range is of the class at that end.
 * @param edges on [1, 100], of classes that are not of equal width
 */
export function classOfMos(mos: number, range: MosRange, classes: number, edges: readonly number[] = []): number {
  return classOf(Math.max(LOWEST, Math.min(HIGHEST, normaliseMos(mos, range))), classes, edges);
}
