import type { MosRange } from "../data/index.ts";
import { hasSpread } from "../labels/score.ts";
import type { ModelCard, QualityNetwork } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { predict } from "../views/predict.ts";
import { compareDistributions, type PredictedDistribution, shareBelow, spreadReliability } from "./predicted-spread.ts";
import type { Progress, RatedRow } from "./training.ts";

type Predictions = Progress["predictions"];

/** A test picture's predicted score and its MOS. */
export interface ScoredPair {
  readonly predicted: number;
  readonly mos: number;
}

/** What a test adds to the record of a run: one entry for each stage. */
type SpreadOfTest = Required<Pick<Progress, "reliability" | "distributions">>;

/**
 * Scores the test part with a model, and puts the scores beside those of the stage before.
 * @returns `spread`: how far predicted distributions can be believed, and how near they come to the opinions; nothing where
 * the network gives a score alone
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
    readonly before: Predictions;
    readonly onScored: () => void;
  },
): Promise<{ predictions: Predictions; pairs: readonly ScoredPair[]; spread: SpreadOfTest }> {
  const { card, before, name } = options;
  const { head } = model;
  const rows = new Map(before.map((row) => [row.name, row]));
  const pairs: ScoredPair[] = [];
  const predicted: PredictedDistribution[] = [];
  for await (const outcome of predict(model, test, inputs, card.options)) {
    options.onScored();
    if ("error" in outcome) continue;
    const { row, value } = outcome;
    const score = head.score(value, card.range);
    pairs.push({ predicted: score.score, mos: row.mos });
    if (hasSpread(score)) predicted.push({ row, distribution: value, score });
    const stageOne = options.stageOne ? score.score : rows.get(row.name)?.stageOne;
    rows.set(row.name, {
      name: row.name,
      path: row.path,
      mos: row.mos,
      ...(stageOne !== undefined && { stageOne }),
      ...score,
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
  return { predictions: [...rows.values()], pairs, spread };
}
