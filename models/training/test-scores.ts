import type { MosRange } from "../data/index.ts";
import { hasSpread } from "../labels/score.ts";
import { evaluate, plcc, srcc } from "../metrics/index.ts";
import type { ModelCard, QualityNetwork } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { predict } from "../views/predict.ts";
import type { Position } from "./checkpoint.ts";
import { type ClassedPicture, type ClassResult, classOfMos, classResult } from "./class-results.ts";
import { labelMos } from "./classes.ts";
import type { Phase } from "./method.ts";
import { compareDistributions, type PredictedDistribution, shareBelow, spreadReliability } from "./predicted-spread.ts";
import type { Progress, RatedRow, TrainingHooks } from "./training.ts";

type Predictions = Progress["predictions"];

/** A test picture's predicted score and its MOS. */
export interface ScoredPair {
  readonly predicted: number;
  readonly mos: number;
}

/** What a test adds to the record of a run: one entry for each stage. */
type SpreadOfTest = Required<Pick<Progress, "reliability" | "distributions">>;

/** What scores with the weights as they are, and where the figures go. */
export interface Scoring {
  readonly model: QualityNetwork;
  readonly inputs: Inputs;
  readonly card: ModelCard;
  readonly progress: Progress;
  readonly hooks: Pick<TrainingHooks, "log" | "progress">;
  readonly clock: (name: string) => () => number;
}

/** What a part is scored with at the end of a phase. */
export interface PartScoring extends Scoring {
  /** Of the phase that the model came from. */
  readonly name: string;
  readonly range: MosRange;
  readonly stageOne: boolean;
  /** MOS of the labelled part. */
  readonly labelled: readonly number[];
}

/** Scores a part with the model as it is, and puts the agreement with its MOS on record; scores of the test part too. */
export async function scorePart(
  part: "validation" | "test",
  rows: readonly RatedRow[],
  { model, inputs, card, name, range, stageOne, labelled, progress, hooks, clock }: PartScoring,
): Promise<void> {
  const isTest = part === "test";
  const title = isTest ? name : `${name}, validation`;
  const label = isTest ? `${name}: test` : title;
  const stop = clock(part);
  const bar = hooks.progress?.(label, rows.length);
  const { predictions, pairs, spread, classes } = await testScores(model, rows, inputs, {
    ...{ card, name: title, range, stageOne, labelled },
    before: isTest ? progress.predictions : [],
    onScored: () => bar?.advance(),
  }).finally(() => bar?.stop());
  stop();
  if (isTest) {
    progress.predictions = predictions;
    progress.reliability = [...(progress.reliability ?? []), ...spread.reliability];
    progress.distributions = [...(progress.distributions ?? []), ...spread.distributions];
    if (classes) progress.classes = [...(progress.classes ?? []), classes];
  }
  if (pairs.length < 3) return;
  const evaluation = evaluate(
    pairs.map((pair) => pair.predicted),
    pairs.map((pair) => pair.mos),
  );
  progress.results.push({ name: title, ...(!isTest && { part: "validation" as const }), evaluation });
  const { n } = evaluation;
  hooks.log?.(`${label} SRCC ${evaluation.srcc.toFixed(3)}, PLCC ${evaluation.plcc.toFixed(3)} on ${n} pictures`);
}

/** Puts on record how scores agree with the MOS of the test part after an epoch; nothing of fewer than three pictures. */
export async function testEpoch(
  { name, epochs }: Pick<Phase, "name" | "epochs">,
  { stage, epoch }: Position,
  test: readonly RatedRow[],
  { model, inputs, card, progress, hooks, clock }: Scoring,
): Promise<void> {
  if (test.length < 3) return;
  const bar = hooks.progress?.(`${name}: test after epoch ${epoch + 1} of ${epochs}`, test.length);
  const stop = clock("tests of epochs");
  const agreement = await agreementWith(model, test, inputs, card, () => bar?.advance()).finally(() => bar?.stop());
  stop();
  if (agreement) progress.epochTests = [...(progress.epochTests ?? []), { stage, epoch, ...agreement }];
}

/** Correlations of a model's scores with the MOS of pictures; none of fewer than three. */
async function agreementWith(
  model: QualityNetwork,
  rows: readonly RatedRow[],
  inputs: Inputs,
  { options, range }: Pick<ModelCard, "options" | "range">,
  onScored: () => void,
): Promise<{ srcc: number; plcc: number } | undefined> {
  const pairs: ScoredPair[] = [];
  for await (const outcome of predict(model, rows, inputs, options)) {
    onScored();
    if (!("error" in outcome))
      pairs.push({ predicted: model.head.score(outcome.value, range).score, mos: outcome.row.mos });
  }
  if (pairs.length < 3) return undefined;
  const [predicted, mos] = [pairs.map((pair) => pair.predicted), pairs.map((pair) => pair.mos)];
  return { srcc: srcc(predicted, mos), plcc: plcc(predicted, mos) };
}

/**
 * Scores the test part with a model, and puts the scores beside those of the stage before.
 * @returns `spread`: how far predicted distributions can be believed, and how near they come to the opinions; nothing where
 * the network gives a score alone; `classes` where it tells them
 */
export async function testScores(
  model: QualityNetwork,
  test: readonly RatedRow[],
  inputs: Inputs,
  options: {
    readonly card: ModelCard;
    /** Of the model. */
    readonly name: string;
    /** Nominal ends of the MOS scale, where the lowest and highest grade lie. */
    readonly range: MosRange;
    /** Whether the scores are also those of stage 1. */
    readonly stageOne: boolean;
    /** MOS of the labelled part. */
    readonly labelled: readonly number[];
    readonly before: Predictions;
    readonly onScored: () => void;
  },
): Promise<{
  predictions: Predictions;
  pairs: readonly ScoredPair[];
  spread: SpreadOfTest;
  classes?: ClassResult | undefined;
}> {
  const { card, before, name } = options;
  const { head } = model;
  const { levels, classEdges: edges } = card.options;
  const rows = new Map(before.map((row) => [row.name, row]));
  const pairs: ScoredPair[] = [];
  const predicted: PredictedDistribution[] = [];
  const classed: ClassedPicture[] = [];
  for await (const outcome of predict(model, test, inputs, card.options)) {
    options.onScored();
    if ("error" in outcome) continue;
    const { row, value } = outcome;
    const score = head.score(value, card.range);
    pairs.push({ predicted: score.score, mos: row.mos });
    const classMos = labelMos(row, card);
    if (score.class !== undefined) classed.push({ class: score.class, score: score.score, mos: classMos });
    if (hasSpread(score)) predicted.push({ row, distribution: value, score });
    const stageOne = options.stageOne ? score.score : rows.get(row.name)?.stageOne;
    rows.set(row.name, {
      name: row.name,
      path: row.path,
      mos: row.mos,
      ...(stageOne !== undefined && { stageOne }),
      ...score,
      ...(score.class !== undefined && { trueClass: classOfMos(classMos, card.range, levels, edges) }),
      ...(head.shareBelow && { shareBelow: shareBelow(value, row.mos, card.range, head.shareBelow) }),
    });
  }
  const reliable = spreadReliability(name, predicted, card.range, head.shareBelow);
  const scales = { scores: card.range, grades: options.range };
  const spread = {
    reliability: reliable ? [reliable] : [],
    // Opinions are known over a score set.
    distributions: card.options.head === "distribution" ? compareDistributions(name, predicted, scales) : [],
  };
  const { labelled } = options;
  const classes = classResult(name, classed, { classes: levels, edges, range: card.range, labelled });
  return { predictions: [...rows.values()], pairs, spread, classes };
}
