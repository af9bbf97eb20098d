import type { MosRange, Row } from "../data/index.ts";
import { classCentres, denormaliseScore, normaliseMos } from "../labels/labels.ts";
import type { ModelCard } from "../networks/model.ts";
import { OptionError } from "../options.ts";
import type { TrainingOptions } from "./options.ts";
import { type RatedRow, ratedByPeople, type TrainingData, TrainingError } from "./training.ts";

/** What says which class a picture is of. */
type Cut = {
  readonly range: MosRange;
  readonly options: Pick<ModelCard["options"], "head" | "levels" | "classesBy" | "classEdges">;
};

/**
 * The MOS by which a picture has its label: its own, or with classes by histogram the middle of the class that its largest share of
 * grades is, of equal ones the lowest.
 */
export function labelMos({ mos, histogram }: Pick<RatedRow, "mos" | "histogram">, { range, options }: Cut): number {
  if (options.classesBy !== "histogram" || histogram === undefined) return mos;
  return denormaliseScore(classCentres(options.levels)[largestShare(histogram)]!, range);
}

/** The grade with the largest share, from 0, of equals the lowest. */
function largestShare(histogram: readonly number[]): number {
  return histogram.indexOf(Math.max(...histogram));
}

/**
 * The options with the edges of classes that hold as many labelled pictures each; as they are where that is not asked for, or known.
 * @param range of the labels
 * @throws OptionError when scores of labelled pictures are too few or too much alike
 */
export function withClassEdges<Options extends TrainingOptions>(
  options: Options,
  labelled: readonly RatedRow[],
  range: MosRange,
): Options {
  if (options.classesBy !== "quantile" || options.classEdges.length > 0) return options;
  const scores = labelled.map(({ mos }) => normaliseMos(mos, range));
  return { ...options, classEdges: quantileEdges(scores, options.levels) };
}

/**
 * Scores half way between the neighbours that part a sorted list into as many parts of equal length.
 * @param scores on [1, 100]
 * @returns [classes − 1], ascending
 * @throws OptionError when two would coincide, or one with an end of the scale
 */
export function quantileEdges(scores: readonly number[], classes: number): number[] {
  const sorted = scores.toSorted((a, b) => a - b);
  const edges = Array.from({ length: classes - 1 }, (_, c) => {
    const at = Math.round((sorted.length * (c + 1)) / classes);
    return ((sorted[at - 1] ?? Number.NaN) + (sorted[at] ?? Number.NaN)) / 2;
  });
  const ends = [1, ...edges, 100];
  // Closer ones would be one edge to the classes.
  const apart = ends.every((end, i) => i === 0 || end - ends[i - 1]! > 1e-6);
  const held = edges.every((edge, i) => sorted.some((score) => score > (edges[i - 1] ?? 0) && score <= edge));
  if (apart && held && sorted.at(-1)! > edges.at(-1)!) return edges;
  const distinct = new Set(sorted).size;
  throw new OptionError(
    `\`classesBy\` quantile: ${sorted.length} labelled pictures with ${distinct} different scores cannot be cut into ${classes} classes of as many each; give fewer \`levels\`, or \`classesBy\` width`,
  );
}

/** Where classes of other than equal width meet, in a sentence, on the scale of the data set. */
export function edgesSentence({ range, options: { classEdges, classesBy } }: Cut): string[] {
  if (classEdges.length === 0) return [];
  const at = classEdges.map((edge) => Number(denormaliseScore(edge, range).toPrecision(6))).join(", ");
  return [`classes meet at ${at}${classesBy === "quantile" ? ", quantiles of the labelled pictures" : ""}`];
}

/** @throws TrainingError with classes by histogram when a picture has none, or one of other grades than there are classes */
export function expectHistograms(data: TrainingData, { classesBy, levels }: TrainingOptions): void {
  if (classesBy !== "histogram") return;
  for (const { name, histogram } of [
    ...ratedByPeople(data.labelled),
    ...(data.validation ?? []),
    ...data.test,
  ] as readonly Row[]) {
    if (histogram === undefined)
      throw new TrainingError(
        `\`classesBy\` histogram: of ${name} it is not known how often each grade was given`,
        "give `classesBy` width or quantile, or a data set that tells it",
      );
    if (histogram.length !== levels)
      throw new TrainingError(
        `\`classesBy\` histogram: ${name} was given ${histogram.length} grades, \`levels\` is ${levels}`,
        `give \`levels\` ${histogram.length}`,
      );
  }
}
