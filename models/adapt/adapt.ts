import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { expectNames } from "../../engine/arguments.ts";
import type { MosRange } from "../data/index.ts";
import { openScorer, type Scorer, type ScorerOptions } from "../scoring/scorer.ts";
import { defaultModel, modelPath } from "../scoring/shipped-models.ts";
import { type Store, scoreStored } from "../store/index.ts";
import { crossCoverage } from "../trust/coverage.ts";
import { calibrate, type Judged, leastJudged } from "../trust/interval.ts";
import { showsCentre } from "../views/crops.ts";
import { AdaptError } from "./adapt-error.ts";
import { AdaptableHead } from "./adaptable-head.ts";
import { writeAdapted } from "./adapted-file.ts";
import { type Compared, compare, measures } from "./compare.ts";
import { fit, heldOut } from "./cross-validation.ts";
import { type LearningCurve, learningCurve } from "./learning-curve.ts";
import { prepare } from "./samples.ts";

/** A picture with a rating. */
export interface PersonalRating {
  readonly path: string;
  /** On the scale of the ratings; higher is better. */
  readonly mos: number;
  /** Pictures of one group (scene, shoot) are never on both sides of a comparison. @default each its own */
  readonly group?: string | undefined;
}

export interface AdaptOptions extends Pick<ScorerOptions, "model" | "device" | "adapter" | "strictness" | "maxPixels"> {
  /** Ends of the scale of the ratings. The adapted model scores on it. */
  readonly range: MosRange;
  /** Whether ratings say only good or bad, 1 or 0 of the range's ends. The scale stays the model's. @default false */
  readonly goodOrBad?: boolean;
  /** Keeps scores and features, so that they are computed once. It is the caller's, who closes it. */
  readonly store?: Store;
  /** Repeats of the cross-validation, with other parts. @default 5 */
  readonly repeats?: number;
  /** Told after each picture that was looked at. */
  readonly onPicture?: (done: number, of: number) => void;
  /** Told, in sentences, what is to be known of ratings and model. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal;
}

const optionNames = {
  ...{ model: true, device: true, adapter: true, strictness: true, maxPixels: true },
  ...{ store: true, range: true, goodOrBad: true, repeats: true, onPicture: true, onNote: true, signal: true },
} satisfies Record<keyof AdaptOptions, true>;

/** Whether the adapted model is better: in its order, in its scale alone, or not. */
export type Verdict = "better" | "better scale" | "no better";

/** What came of adapting a model. */
export interface AdaptReport {
  readonly model: string;
  /** Pictures that were learned from, and their groups. */
  readonly pictures: number;
  readonly groups: number;
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
  readonly range: MosRange;
  /** Strength of the ridge that was chosen. */
  readonly strength: number;
  /** On pictures that the fits had not seen; of ratings good or bad the area under the ROC curve alone. */
  readonly figures: Readonly<Partial<Record<keyof typeof measures, Compared>>>;
  readonly verdict: Verdict;
  readonly curve: LearningCurve;
  /** How often the new intervals of 90 % hold the rating of pictures that they were not calibrated on; absent for good or bad. */
  readonly coverage?: number;
}

export interface Adaptation {
  readonly report: AdaptReport;
  /** Writes the adapted model, which every command and `openScorer` open. @throws SafetensorsError when it cannot be written */
  readonly save: (path: string) => Promise<void>;
}

/** Fewer ratings tell a model nothing that would hold for other pictures. */
export const leastRatings = 20;
/** Fewer give wide intervals. */
const fewRatings = 60;
const level = 0.9;
/** Where good and bad pictures are put on the scale, as shares. */
const [badShare, goodShare] = [0.25, 0.75];
/** Features must give the scores back: by how much of the scale they may differ. */
const mostOff = 0.01;

/**
 * Adapts the last layer of a model to ratings, in closed form: ridge regression on the model's own embedding of what its scores lack, shrunk towards the
 * model itself and a change of its scale, the strength by cross-validation with the rule of one standard error. Says by repeated
 * cross-validation, in which the strength is chosen anew among the pictures learned from, whether the adapted model is better on others. A
 * model that has seen the pictures in its own training makes the comparison unfair to the adapted one.
 * @throws AdaptError for fewer than 20 ratings, for such that are all the same or beyond the range, and for models of other kinds; as
 * `openScorer` does
 */
export async function adapt(rated: readonly PersonalRating[], options: AdaptOptions): Promise<Adaptation> {
  expectNames("adapt", options, optionNames);
  const { range, goodOrBad = false, repeats = 5, onNote = () => {} } = options;
  expectRatings(rated, range);
  const { model = defaultModel } = options;
  const path = model instanceof URL ? fileURLToPath(model) : modelPath(model);
  const head = await AdaptableHead.open(path);
  const looked = await look(rated, path, head, options);
  const { kept, features, scores, scorerRange, trust } = looked;
  expectEnough(kept.length, kept, range);
  if (kept.length < fewRatings) {
    onNote(
      `${kept.length} ratings are few: differences of less than about ${few(kept.length)} of SRCC cannot be told from chance`,
    );
  }
  const seen = features.map((feature) => head.see(feature));
  const before = Float64Array.from(seen, (one) => clipped(head.tilted(one, 0).share));
  expectSameScores(before, scores, scorerRange);
  const scale = goodOrBad ? scorerRange : range;
  const shares = kept.map(({ mos }) => (mos - range[0]) / (range[1] - range[0]));
  const targets = goodOrBad ? shares.map((share) => (share > 0.5 ? goodShare : badShare)) : shares;
  const groups = kept.map(({ group }, i) => group ?? i);
  const { samples, lastLayer } = prepare(head, seen, targets);
  const held = heldOut(head, samples, groups, { repeats }).scores;
  const truth = Float64Array.from(goodOrBad ? shares : targets);
  const names = goodOrBad ? (["auc"] as const) : (["srcc", "plcc", "rmse"] as const);
  const onScale = (values: Float64Array) => (goodOrBad ? values : values.map((share) => place(share, scale)));
  const pair = { before: onScale(before), adapted: onScale(held), truth: onScale(truth) };
  const figures = Object.fromEntries(names.map((name) => [name, compare(measures[name], pair, groups)]));
  const { weights, strength } = fit(head, samples, groups, "all");
  const judged: Judged[] = kept.map((_, i) => ({ score: place(held[i]!, scale), mos: place(targets[i]!, scale) }));
  const hasInterval = !goodOrBad && judged.length >= leastJudged(level);
  const interval = hasInterval ? calibrate(judged, scale, level) : undefined;
  const report: AdaptReport = {
    model: basename(path, ".safetensors"),
    pictures: kept.length,
    groups: new Set(groups).size,
    leftOut: looked.leftOut,
    range: scale,
    strength,
    figures,
    verdict: verdictOf(figures),
    curve: learningCurve(head, samples, groups, (values) => measures[names[0]](values, truth)),
    ...(interval &&
      judged.length >= 2 * leastJudged(level) && { coverage: crossCoverage(judged, scale, { level }).coverage }),
  };
  return {
    report,
    save: async (to) => {
      const { direction, constant } = lastLayer(weights);
      const { interval: _, ...others } = trust ?? {};
      await writeAdapted(path, to, {
        ...head.lastLayer(direction, constant),
        range: scale,
        history: historyOf(report, goodOrBad),
        trust: { ...others, ...(interval && { interval }) },
      });
    },
  };
}

const clipped = (share: number) => Math.min(1, Math.max(0, share));
const place = (share: number, [low, high]: MosRange) => low + share * (high - low);
/** The standard error of a Spearman correlation of n pairs is about 1 / √n. */
const few = (count: number) => (1 / Math.sqrt(count)).toFixed(2);

function expectRatings(rated: readonly PersonalRating[], [low, high]: MosRange): void {
  if (!(low < high)) throw new AdaptError(`the range of the ratings, ${low} to ${high}, has no width`);
  const beyond = rated.find(({ mos }) => !(mos >= low && mos <= high));
  if (beyond) throw new AdaptError(`${beyond.path}: the rating ${beyond.mos} lies beyond the range, ${low} to ${high}`);
  expectEnough(rated.length, rated, [low, high]);
}

function expectEnough(count: number, rated: readonly PersonalRating[], range: MosRange): void {
  if (count < leastRatings)
    throw new AdaptError(
      `${count} ratings are too few to say anything of other pictures: rate at least ${leastRatings}, better 100`,
    );
  if (new Set(rated.map(({ mos }) => mos)).size < 2)
    throw new AdaptError(
      `all ratings are ${rated[0]?.mos} on ${range[0]} to ${range[1]}: there is nothing to learn from`,
    );
  const groups = new Set(rated.map(({ group }, i) => group ?? i)).size;
  if (groups < 5)
    throw new AdaptError(`the pictures are of ${groups} groups; at least 5 are needed to compare on others`);
}

interface Looked {
  readonly kept: readonly PersonalRating[];
  readonly features: readonly Float32Array[];
  readonly scores: readonly number[];
  readonly scorerRange: MosRange;
  readonly trust: NonNullable<Scorer["companions"]["trust"]>["facts"] | undefined;
  readonly leftOut: AdaptReport["leftOut"];
}

/** Scores and features of all pictures that can be read. */
async function look(
  rated: readonly PersonalRating[],
  model: string,
  head: AdaptableHead,
  options: AdaptOptions,
): Promise<Looked> {
  const { device, adapter, strictness, maxPixels, store, onNote, onPicture, signal } = options;
  await using scorer = await openScorer({
    model,
    features: true,
    ...(device && { device }),
    ...(adapter && { adapter }),
    ...(strictness && { strictness }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(onNote && { onNote }),
  });
  const { testCrops, testTiles } = scorer.showing;
  // Before the pictures are scored, which may take hours.
  if (!showsCentre(scorer.showing) && !head.isLinear) {
    const views = testTiles > 0 ? `at most ${testTiles} tiles` : `${testCrops} crops`;
    throw new AdaptError(
      `a score of the model is the mean over ${views} of a picture, which is not that of its mean feature; models that see one view can be adapted, such as the one that comes along`,
    );
  }
  const found: { readonly index: number; readonly score: number; readonly feature: Float32Array }[] = [];
  const leftOut: { path: string; why: string }[] = [];
  let done = 0;
  const paths = rated.map(({ path }) => path);
  const more = signal ? { signal } : {};
  const results = store
    ? scoreStored(store, scorer, paths, { features: true, ...more })
    : scorer.scoreMany(paths, more);
  for await (const result of results) {
    onPicture?.(++done, rated.length);
    const one = rated[result.index]!;
    if ("error" in result) {
      leftOut.push({ path: one.path, why: result.error.message });
      continue;
    }
    // A store may have the score of a run that asked for no features.
    const { score, feature } = result.feature ? result : await scorer.score(one.path, more);
    found.push({ index: result.index, score, feature: feature! });
  }
  // By their place, so that a store changes nothing.
  found.sort((a, b) => a.index - b.index);
  const kept = found.map(({ index }) => rated[index]!);
  const features = found.map(({ feature }) => feature);
  const scores = found.map(({ score }) => score);
  return { kept, features, scores, leftOut, scorerRange: scorer.card.range, trust: scorer.companions.trust?.facts };
}

/** @throws AdaptError where the mean feature of several views does not give the score back */
function expectSameScores(shares: Float64Array, scores: readonly number[], [low, high]: MosRange): void {
  const off = shares.map((share, i) => Math.abs(share - (scores[i]! - low) / (high - low))).sort();
  if (off[Math.floor(off.length / 2)]! <= mostOff) return;
  throw new AdaptError(
    "the model's scores are not those of its mean feature: it was tested with several crops or tiles of a picture, and such models cannot be adapted",
  );
}

function verdictOf(figures: AdaptReport["figures"]): Verdict {
  const order = figures.srcc ?? figures.auc;
  if (order?.interval && order.interval[0] > 0) return "better";
  const { rmse } = figures;
  // A better scale is worth something where the order is not lost for it.
  const isKept = order?.interval !== undefined && order.interval[0] > -0.02;
  return isKept && rmse?.interval && rmse.interval[1] < 0 ? "better scale" : "no better";
}

function historyOf({ model, pictures, figures, strength }: AdaptReport, goodOrBad: boolean): string {
  const [name, figure] = goodOrBad ? ["AUC", figures.auc] : ["SRCC", figures.srcc];
  const what = goodOrBad ? "pictures called good or bad" : "ratings";
  return (
    `the last layer of ${model} is adapted to ${pictures} ${what} by ridge regression on its embedding, strength ${strength.toPrecision(2)}; ` +
    `cross-validated ${name} ${figure?.adapted.toFixed(3)}, before ${figure?.before.toFixed(3)}`
  );
}
