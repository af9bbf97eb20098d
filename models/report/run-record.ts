import type { Evaluation } from "../metrics/index.ts";

/** Everything worth knowing of a training run, as plain JSON: what the report is made of. */
export interface RunRecord {
  title: string;
  /** What the user typed. */
  command: string;
  /** ISO 8601. */
  date: string;
  hardware: { runtime: string; adapter: string; cores: number; platform: string };
  options: Record<string, unknown>;
  /** Ends of the MOS scale of the data set. */
  range: [number, number];
  /** Pictures in each part of the split. */
  parts: { labelled: number; unlabelled: number; validation?: number; test: number };
  phases: { name: string; seconds: number }[];
  /** `gradientNorm`: of all gradients together before clipping, when they were clipped and finite. */
  losses: { stage: 1 | 2; epoch: number; step: number; loss: number; gradientNorm?: number }[];
  /** One label step each; scores of `quality` are on [1, 100]. */
  refreshes: {
    epoch: number;
    seconds: number;
    featureSeconds: number;
    iterations: number;
    residual: number;
    converged: boolean;
    unreachable: number;
    meanConfidence: number;
    quality?: { n: number; mae: number; rmse: number; srcc: number; slope: number };
  }[];
  /** Last refresh, on the scale of the data set. */
  pseudoLabels: { name: string; pseudo: number; confidence: number; mos?: number }[];
  /** Of the test part, or of the part that is named. */
  results: { name: string; part?: "validation"; evaluation: Evaluation }[];
  /** The test part; `stageOne` is the score after stage 1, `score` the final one. */
  predictions: {
    name: string;
    path: string;
    mos?: number;
    stageOne?: number;
    score: number;
    standardDeviation: number;
    confidence: number;
  }[];
  peakDeviceBytes: number;
  /** What the peak was made of, the largest first. */
  peakDeviceOwners?: { owner: string; bytes: number }[];
  /** Sentences. */
  notes: string[];
}
