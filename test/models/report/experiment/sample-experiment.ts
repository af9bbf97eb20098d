import { Random } from "../../../../engine/random.ts";
import { evaluate, reliability } from "../../../../models/metrics/index.ts";
import {
  type ExperimentRecord,
  type ExperimentRun,
  type ExperimentVariant,
  measureNames,
  type PartResult,
  type PartSummary,
  type Spread,
} from "../../../../models/report/experiment/experiment-record.ts";

const base = { gamma: 0.99, stageTwoEpochs: 3, confidence: "entropy", labelNoise: { mean: 0, sd: 0 }, crop: 224 };

/** What a variant changes, and how well it ranks: the noise of its scores. */
const variants: readonly [name: string, changes: Record<string, unknown>, noise: number][] = [
  ["stage 2", {}, 0.5],
  ["supervised only", { stageTwoEpochs: 0 }, 0.62],
  ["gamma 0.5", { gamma: 0.5 }, 0.7],
  ["gamma 0.9", { gamma: 0.9 }, 0.45],
  ["confidence off", { confidence: "off" }, 0.52],
  ["labels with Gaussian noise of half a grade", { labelNoise: { mean: 0.5, sd: 0.5 } }, 1.4],
];

const testPictures = 60;

/** An experiment that could have been: six variants, so many repeats, the last repeat of the last variant failed. */
export function sampleExperiment({ repeats = 3, text = "" } = {}): ExperimentRecord {
  const seeds = Array.from({ length: repeats }, (_, i) => ({ split: i + 1, training: i + 1 }));
  const made = variants.map(([name, changes, noise], index): ExperimentVariant => {
    const settings = { ...base, ...changes };
    const runs = seeds.map((repeat, i): ExperimentRun => {
      const failed = index === variants.length - 1 && i === repeats - 1 && repeats > 1;
      return runOf(repeat, noise, settings.stageTwoEpochs, failed, i === 0);
    });
    const seconds = spreadOf(runs.filter(({ status }) => status === "finished").map(() => 600 + 10 * index));
    return { name: name + text, changes, settings, runs, summary: summaryOf(runs), seconds };
  });
  return {
    schema: 1,
    name: "sample",
    title: `What each part adds${text}`,
    description: `A made-up experiment.${text}`,
    command: "acutance experiment sample",
    date: "2025-06-01T12:30:11.000Z",
    hardware: { runtime: "Bun", adapter: "An Adapter", cores: 4, platform: "linux x64" },
    recipe: { title: "What each part adds", base, seeds: [1, 2, 3], grid: {} },
    range: [0, 100],
    repeats: seeds,
    parts: ["test", "validation", "spaq"],
    ranges: { test: [0, 100], validation: [0, 100], spaq: [0, 100] },
    baseline: made[0]!.name,
    variants: made,
    selection: {
      sentence: `The row with the highest median SRCC on validation is marked with *: ${made[3]!.name}.`,
      chosen: made[3]!.name,
    },
    notes: [`labelled pictures are clipped to the range${text}`],
  };
}

function runOf(
  repeat: { split: number; training: number },
  noise: number,
  stageTwoEpochs: number,
  failed: boolean,
  example: boolean,
): ExperimentRun {
  const random = new Random(repeat.split, "sample experiment");
  const parts = { labelled: 186, unlabelled: 557, validation: 20, test: testPictures };
  if (failed) {
    const nothing = { trainings: [], results: [], phases: [], losses: [], refreshes: [], notes: [] };
    return { repeat, status: "failed", error: "the loss is NaN", parts, ...nothing };
  }
  const mos = Array.from({ length: testPictures }, () => 100 * random.uniform());
  const scores = (spread: number) => mos.map((value) => 50 + 0.6 * (value - 50) + 30 * spread * random.normal());
  const [early, late] = [scores(noise + 0.15), scores(noise)];
  const stages = stageTwoEpochs > 0 ? ([1, 2] as const) : ([1] as const);
  const results = stages.flatMap((stage) =>
    ["test", "validation", "spaq"].map((part, i): PartResult => {
      const found = evaluate(stage === 1 && stages.length > 1 ? early : late, mos);
      const measures = Object.fromEntries(measureNames.map((name) => [name, found[name] * (i === 2 ? 0.8 : 1)]));
      return { part, stage, n: testPictures, ...(measures as Record<(typeof measureNames)[number], number>) };
    }),
  );
  return {
    repeat,
    status: "finished",
    trainings: stages.map((stage) => ({
      stage,
      key: `${stage}${repeat.split}`.padEnd(64, "0123456789abcdef"),
      folder: `runs/${stage}${repeat.split}`,
      cached: stage === 1,
      seconds: 300 * stage,
    })),
    parts,
    results,
    phases: [
      { name: "stage 1 training", seconds: 290 },
      ...(stageTwoEpochs > 0
        ? [
            { name: "stage 2 features", seconds: 120 },
            { name: "stage 2 label step", seconds: 3 },
            { name: "stage 2 training", seconds: 470 },
          ]
        : []),
    ],
    losses: [],
    refreshes: Array.from({ length: stageTwoEpochs }, (_, epoch) => ({
      epoch,
      seconds: 1,
      featureSeconds: 40,
      iterations: 25,
      residual: 1e-7,
      converged: true,
      unreachable: 0,
      meanConfidence: 0.3 + 0.02 * epoch,
      quality: {
        n: 557,
        mae: 12 - epoch + 4 * noise + random.uniform(),
        rmse: 16 - epoch + 4 * noise,
        srcc: 0.8 - 0.4 * noise + 0.02 * epoch + 0.01 * random.normal(),
        slope: 0.3 + 0.03 * epoch,
        confidenceSrcc: -0.12,
      },
    })),
    ...(example && {
      predictions: mos.map((value, i) => ({
        name: `${i}.png`,
        path: `/nowhere/${i}.png`,
        mos: value,
        stageOne: early[i]!,
        score: late[i]!,
        standardDeviation: 12,
        confidence: 0.2,
      })),
    }),
    reliability: {
      name: "stage 2",
      ...reliability(
        mos.map((value, i) => ({
          score: late[i]!,
          mos: value,
          standardDeviation: 12 + (i % 5),
          confidence: 0.5 - 0.05 * (i % 5),
          shareBelow: Math.min(1, Math.max(0, 0.5 + (value - late[i]!) / 60)),
        })),
      ),
    },
    distributions: (["histogram", "normal"] as const).map((reference) => ({
      name: "stage 2",
      reference,
      n: testPictures,
      jensenShannon: { mean: 0.06 + 0.1 * noise, median: 0.06 },
      jensenShannonDistance: { mean: 0.25 + 0.1 * noise, median: 0.25 },
      wasserstein: { mean: 0.05 + 0.1 * noise, median: 0.05 },
      emd: { mean: 0.08 + 0.1 * noise, median: 0.08 },
    })),
    notes: [],
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  if (n === 0) return { n, median: null, mean: null, sd: null, min: null, max: null };
  const mean = sorted.reduce((a, b) => a + b, 0) / n;
  const squares = sorted.reduce((all, value) => all + (value - mean) ** 2, 0);
  const median = (sorted[Math.floor((n - 1) / 2)]! + sorted[Math.ceil((n - 1) / 2)]!) / 2;
  return { n, median, mean, sd: n > 1 ? Math.sqrt(squares / (n - 1)) : null, min: sorted[0]!, max: sorted[n - 1]! };
}

function summaryOf(runs: readonly ExperimentRun[]): PartSummary[] {
  return ["test", "validation", "spaq"].map((part) => {
    const last = runs.flatMap(({ results }) => results.filter((result) => result.part === part).slice(-1));
    const measures = Object.fromEntries(
      measureNames.map((name) => [name, spreadOf(last.map((result) => result[name] as number))]),
    );
    return { part, measures: measures as PartSummary["measures"] };
  });
}
