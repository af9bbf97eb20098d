import { join } from "node:path";
import { evaluate, reliability } from "../../../../models/metrics/index.ts";
import type { RunRecord } from "../../../../models/training/run-record.ts";

export const testPictures = 20;

const wave = (i: number) => Math.sin(7.3 * i + 1);

/** A record of a run with two stages, whose test pictures lie in a folder; there need be none. */
export function plausible(folder = "nowhere"): RunRecord {
  const predictions = Array.from({ length: testPictures }, (_, i) => ({
    name: `picture <${i}>`,
    path: join(folder, `${i}.png`),
    mos: 1.2 + 0.18 * i,
    stageOne: 1.4 + 0.15 * i + 0.9 * wave(i),
    score: 1.3 + 0.16 * i + 0.3 * wave(i + 50),
    standardDeviation: 0.4 + 0.05 * wave(i),
    confidence: 0.5 + 0.1 * wave(i),
    shareBelow: 0.5 + 0.45 * wave(i + 9),
  }));
  const mos = predictions.map((row) => row.mos);
  const evaluated = (name: string, scores: number[]) => ({ name, evaluation: evaluate(scores, mos) });
  return {
    title: "CPL-IQA on photos",
    command: "acutance train cpl --data photos --csv mos.csv",
    date: "2025-06-01T12:30:11.000Z",
    hardware: { runtime: "bun-webgpu", adapter: "An Adapter", cores: 16, platform: "linux x64" },
    options: { backbone: "resnet18", gamma: 0.99, flip: true },
    range: [1, 5],
    parts: { labelled: 21, unlabelled: 63, test: testPictures },
    phases: [
      { name: "stage 1 training", seconds: 50 },
      { name: "stage 2 features", seconds: 20 },
      { name: "stage 2 label step", seconds: 5 },
      { name: "stage 2 training", seconds: 75 },
    ],
    losses: ([1, 2] as const).flatMap((stage) =>
      Array.from({ length: 100 }, (_, i) => ({
        stage,
        epoch: Math.floor(i / 50),
        step: i % 50,
        loss: 4 - i / 50 + 0.1 * wave(i),
      })),
    ),
    refreshes: [0, 1].map((epoch) => ({
      epoch,
      seconds: 2.5,
      featureSeconds: 10,
      iterations: 41 + epoch,
      residual: 8.31e-7,
      converged: epoch === 0,
      unreachable: 3,
      meanConfidence: 0.4321,
      quality: { n: 63, mae: 9.876, rmse: 12.345, srcc: 0.7654, slope: 0.5432, confidenceSrcc: -0.321 },
    })),
    pseudoLabels: Array.from({ length: 63 }, (_, i) => ({
      name: `unlabelled ${i}`,
      pseudo: 3 + wave(i),
      confidence: 0.5,
      mos: 3 + 1.2 * wave(i + 0.1),
    })),
    results: [
      evaluated(
        "stage 1",
        predictions.map((row) => row.stageOne),
      ),
      evaluated(
        "stage 2",
        predictions.map((row) => row.score),
      ),
      evaluated(
        "constant predictor",
        mos.map(() => 3),
      ),
    ],
    predictions,
    reliability: ["stage 1", "stage 2"].map((name) => ({
      name,
      ...reliability(predictions.map((row) => ({ ...row, score: name === "stage 1" ? row.stageOne : row.score }))),
    })),
    distributions: (["histogram", "normal"] as const).map((reference, i) => ({
      name: "stage 2",
      reference,
      n: testPictures - i,
      jensenShannon: { mean: 0.0651, median: 0.0612 },
      jensenShannonDistance: { mean: 0.2511, median: 0.2412 },
      wasserstein: { mean: 0.0421, median: 0.0388 },
      emd: { mean: 0.0713, median: 0.0677 },
      ...(reference === "normal" && { deviation: { given: 15, mean: 0.6543 } }),
    })),
    peakDeviceBytes: 1.5 * 2 ** 30,
    notes: ["the head starts fresh"],
  };
}

/** The record of a run in which nothing was done. */
export const empty: RunRecord = {
  title: "nothing",
  command: "",
  date: "",
  hardware: { runtime: "", adapter: "", cores: 0, platform: "" },
  options: {},
  range: [0, 100],
  parts: { labelled: 0, unlabelled: 0, test: 0 },
  phases: [],
  losses: [],
  refreshes: [],
  pseudoLabels: [],
  results: [],
  predictions: [],
  peakDeviceBytes: 0,
  notes: [],
};

/** Cells of the table row that starts with a name. */
export function cells(html: string, first: string): string[] | undefined {
  const rows = [...html.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) => cell!),
  );
  return rows.find((row) => row[0] === first);
}

/** Titles of the sections of a page. */
export const titles = (html: string) => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);
