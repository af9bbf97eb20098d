import { unpackRgb } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { brisque } from "../classic/brisque.ts";
import { niqe } from "../classic/niqe.ts";
import {
  type BrisqueParameters,
  type NiqeParameters,
  readBrisqueParameters,
  readNiqeParameters,
} from "../classic/parameters.ts";
import { type ClassicMethod, type ClassicScale, openClassicScorer } from "../classic/scorer.ts";
import { decode, type MosRange } from "../data/index.ts";
import { type Evaluation, evaluate, median } from "../metrics/index.ts";
import type { NetworkFigures, PartResult } from "../report/experiment/experiment-record.ts";
import type { ProgressSink } from "../training/training.ts";
import type { HeldDevice } from "./held-device.ts";
import { digest } from "./key.ts";
import type { Plan, PlannedRun, Surroundings } from "./plan.ts";
import type { Recipe } from "./recipe.ts";
import type { HashedRow } from "./sources.ts";
import type { ExperimentStore } from "./store.ts";
import { partResult } from "./train-planned.ts";

/** A row of an experiment that scores by a formula, which is not trained. */
export interface PlannedFormula {
  readonly name: string;
  readonly method: ClassicMethod;
  /** Absent where its parameters were not given. */
  readonly opened?: {
    /** Of parameters, adapter and version: what its scores depend on beside the picture. */
    readonly key: string;
    readonly parameters: NiqeParameters | BrisqueParameters;
    readonly scale: ClassicScale;
  };
}

/** The table's name of a row, and what to do where it has nothing to score by. */
export function formulaTitle({ name, method, opened }: PlannedFormula): string {
  return opened ? name : `${name}: no parameters given, see --parameters ${method}=FILE`;
}

/**
 * Reads the parameters of a recipe's formulas.
 * @throws FileError when a file cannot be read or is of another kind
 */
export async function openFormulas({ formulas }: Recipe, at: Surroundings): Promise<PlannedFormula[]> {
  return Promise.all(
    formulas.map(async ({ name, method, parameters: path, featureRange }) => {
      const row = { name: name ?? method.toUpperCase(), method };
      if (path === undefined) return row;
      const parameters =
        method === "niqe" ? await readNiqeParameters(path) : await readBrisqueParameters(path, featureRange);
      const key = digest({ formula: parameters, ...at });
      return { ...row, opened: { key, parameters, scale: scaleOf(parameters) } };
    }),
  );
}

function scaleOf(parameters: NiqeParameters | BrisqueParameters): ClassicScale {
  if (parameters.method === "niqe") return { range: [0, Number.POSITIVE_INFINITY], lowerIsBetter: true };
  const { range, lowerIsBetter } = parameters;
  return { range, lowerIsBetter };
}

/** The rated pictures that formulas score: those that any run tests, and the further data sets. By content, each once. */
export function formulaPictures({ runs, sources }: Pick<Plan, "runs" | "sources">): ReadonlyMap<string, string> {
  const tested = runs.flatMap(({ data }) => [...data.validation, ...data.test]);
  const others = [...sources.crossData.values()].flatMap(({ rows }) => rows.filter(({ mos }) => mos !== undefined));
  return new Map([...tested, ...others].map(({ sha256, path }) => [sha256, path]));
}

/** How many pictures a formula has not scored yet. */
export function unscored(
  { opened }: PlannedFormula,
  pictures: ReadonlyMap<string, string>,
  store: ExperimentStore,
): string[] {
  if (!opened) return [];
  const known = store.formulaScores(opened.key);
  return [...pictures.keys()].filter((sha256) => !known.has(sha256));
}

export interface FormulaHooks {
  readonly progress?: (label: string, total: number) => ProgressSink;
  readonly signal?: AbortSignal;
}

/**
 * Scores what is not scored; each score is kept at once, so that a stopped call goes on where it was.
 * @throws what is no picture's fault; the signal's reason
 */
export async function scoreByFormula(
  formula: PlannedFormula,
  pictures: ReadonlyMap<string, string>,
  store: ExperimentStore,
  device: HeldDevice,
  { progress, signal }: FormulaHooks,
): Promise<void> {
  const left = unscored(formula, pictures, store);
  if (left.length === 0) return;
  const { key, parameters } = formula.opened!;
  const bar = progress?.(`${formula.name}, by formula`, left.length);
  try {
    await using scorer = await openClassicScorer({ method: formula.method, parameters, device: await device.get() });
    const shaOf = new Map(left.map((sha256) => [pictures.get(sha256)!, sha256]));
    for await (const result of scorer.scoreMany(shaOf.keys())) {
      // What has no score, because it is flat or too small, is not tried again.
      store.rememberFormulaScore(key, shaOf.get(result.picture)!, "error" in result ? null : result.score);
      bar?.advance();
      signal?.throwIfAborted();
    }
  } finally {
    bar?.stop();
  }
}

/** Pictures whose score is timed; the first makes the kernels. */
const timed = 6;

/** Numbers that a formula has as parameters, and how many pictures of the first one's size it scores in a second. */
export async function formulaFigures(
  { opened }: PlannedFormula,
  picture: string,
  held: HeldDevice,
): Promise<NetworkFigures> {
  const { parameters } = opened!;
  const device = await held.get();
  const { pixels, width, height } = await decode(picture, {});
  using tensor = unpackRgb(device, pixels, height, width);
  const times: number[] = [];
  for (let i = 0; i < timed; i++) {
    const start = performance.now();
    await scoreOf(tensor, parameters);
    times.push(performance.now() - start);
  }
  return { parameters: numbersOf(parameters), picturesPerSecond: 1000 / median(times.slice(1)) };
}

function scoreOf(picture: Tensor, parameters: NiqeParameters | BrisqueParameters): Promise<number> {
  return parameters.method === "niqe" ? niqe(picture, parameters) : brisque(picture, parameters);
}

/** A covariance counts once what it has twice. */
function numbersOf(parameters: NiqeParameters | BrisqueParameters): number {
  if (parameters.method === "niqe") {
    const { length } = parameters.mean;
    return length + (length * (length + 1)) / 2;
  }
  const { minimum, vectors } = parameters;
  return 2 * minimum.length + vectors.length * (1 + minimum.length) + 2;
}

/** What a formula's scores say of the parts of a run and of further data sets, as the results of a trained model are. */
export function formulaResults(
  { opened }: PlannedFormula,
  { data }: Pick<PlannedRun, "data">,
  { range, crossData }: Plan["sources"],
  scores: ReadonlyMap<string, number | null>,
): PartResult[] {
  const parts = [
    { part: "test", rows: data.test, range },
    ...(data.validation.length > 0 ? [{ part: "validation", rows: data.validation, range }] : []),
    ...[...crossData].map(([part, { rows, range }]) => ({ part, rows, range })),
  ];
  return parts.flatMap(({ part, rows, range }) => {
    const found = formulaPredictions(opened!.scale, rows, range, scores);
    if (found.length < 3) return [];
    const evaluation = evaluate(
      found.map(({ score }) => score),
      found.map(({ mos }) => mos),
    );
    return [partResult(part, 1, comparable(evaluation, opened!.scale))];
  });
}

/** Scores whose scale has no end can be compared in order, and fitted; errors against the MOS mean nothing. */
function comparable(evaluation: Evaluation, { range }: ClassicScale): Evaluation {
  if (range.every(Number.isFinite)) return evaluation;
  return { ...evaluation, rmse: Number.NaN, mae: Number.NaN, slope: Number.NaN };
}

/**
 * Scores as a quality, higher being better: where the formula's scale has two ends, its place between them seen on the range of the data; else with the
 * sign turned. Pictures without a score are left out.
 */
export function formulaPredictions(
  { range: [low, high], lowerIsBetter }: ClassicScale,
  rows: readonly HashedRow[],
  [least, most]: MosRange,
  scores: ReadonlyMap<string, number | null>,
): { name: string; mos: number; score: number }[] {
  const quality = (score: number) => {
    if (!Number.isFinite(high)) return lowerIsBetter ? -score : score;
    const share = (score - low) / (high - low);
    return least + (most - least) * (lowerIsBetter ? 1 - share : share);
  };
  return rows.flatMap(({ name, mos, sha256 }) => {
    const score = scores.get(sha256);
    return mos === undefined || score === undefined || score === null ? [] : [{ name, mos, score: quality(score) }];
  });
}
