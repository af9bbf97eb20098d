import type { Evaluation, PairedDifference, Reliability } from "../metrics/index.ts";
import type { ClassResult } from "./class-results.ts";

/** Over pictures. */
interface MeanAndMedian {
  mean: number;
  median: number;
}

/** Name of the result of always answering with the mean of the labelled part. */
export const constantName = "constant predictor";

/** What the time of a phase's steps is called in a record. */
export const trainingOf = (phase: string): string => `${phase} training`;

/** How scores of unlabelled pictures agree with the truth, on [1, 100]. */
export interface PseudoLabelQuality {
  n: number;
  mae: number;
  rmse: number;
  srcc: number;
  /** Absent in records of earlier versions. */
  plcc?: number;
  slope: number;
  /** Of weight and absolute error, -1 is best; undefined where there are no weights, or constant ones. */
  confidenceSrcc?: number;
}

/** Everything worth knowing of a training run, as plain JSON: what the report is made of. */
export interface RunRecord {
  title: string;
  /** Names the training, as its models and its split do; absent in records of earlier versions. */
  run?: string;
  /** What the user typed. */
  command: string;
  /** ISO 8601. */
  date: string;
  hardware: { runtime: string; adapter: string; cores: number; platform: string };
  options: Record<string, unknown>;
  /** Ends of the MOS scale of the data set. */
  range: [number, number];
  /** Pictures in each part of the split; `pseudoLabelled`: beside the labelled ones, labelled by another model; `ranked`: sets of degraded copies. */
  parts: {
    labelled: number;
    pseudoLabelled?: number;
    ranked?: number;
    unlabelled: number;
    validation?: number;
    test: number;
  };
  phases: { name: string; seconds: number }[];
  /** `stage`: place of the phase, the first being 1; `gradientNorm`: of all gradients together before clipping, when they were clipped and finite; `figures`: what the phase reports of a step beside, by name. */
  losses: {
    stage: number;
    epoch: number;
    step: number;
    loss: number;
    gradientNorm?: number;
    figures?: Readonly<Record<string, number>>;
  }[];
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
    /** Of the pseudo-labels that are learnt. */
    quality?: PseudoLabelQuality;
    /** Of what the graph gives, and of what the network itself predicts, whichever is learnt; absent in records of earlier versions. */
    propagated?: PseudoLabelQuality;
    own?: PseudoLabelQuality;
  }[];
  /** Regressions that gave pseudo-labels; `leftOut`: each labelled picture by the others. Scores are on [1, 100]. */
  regressions?: {
    epoch: number;
    seconds: number;
    featureSeconds: number;
    width?: number;
    ridge: number;
    leftOut: { n: number; mae: number; srcc: number };
    meanConfidence: number;
    quality?: PseudoLabelQuality;
  }[];
  /** Last refresh, on the scale of the data set. */
  pseudoLabels: { name: string; pseudo: number; confidence: number; mos?: number }[];
  /** Of the test part, or of the part that is named. */
  results: { name: string; part?: "validation"; evaluation: Evaluation }[];
  /** SRCC on the test part after the last phase less that after the first; absent where there are not both, and in records of earlier versions. */
  comparison?: PairedDifference & { pictures: number; groups: number };
  /** Of the test part after each epoch, where that was asked for; nothing is chosen by it. Weights as they are, without their moving average. */
  epochTests?: { stage: number; epoch: number; srcc: number; plcc: number }[];
  /** The test part; `stageOne` is the score after stage 1, `score` the final one. */
  predictions: {
    name: string;
    path: string;
    mos?: number;
    stageOne?: number;
    score: number;
    /** Where the network gives probabilities. */
    standardDeviation?: number;
    confidence?: number;
    /** How far the heads of an ensemble disagree. */
    ensembleDeviation?: number;
    class?: number;
    /** The class that the picture belongs to, beside `class`; absent in records of earlier versions. */
    trueClass?: number;
    classProbability?: number;
    /** Share of the final predicted distribution below the MOS. */
    shareBelow?: number;
  }[];
  /** How far the spread of the distributions predicted for the test part can be believed, by stage. */
  reliability?: ({ name: string } & Reliability)[];
  /**
   * Distributions predicted for the test part beside the counts of grades or a normal distribution of MOS and standard
   * deviation, by stage. Divergence in nats, distance its root; `wasserstein` on a range of 1; `emd` with r = 2.
   */
  distributions?: {
    name: string;
    reference: "histogram" | "normal";
    n: number;
    jensenShannon: MeanAndMedian;
    jensenShannonDistance: MeanAndMedian;
    wasserstein: MeanAndMedian;
    emd: MeanAndMedian;
    /** With `normal`: pictures whose standard deviation is given, and the mean of it, which the others take. */
    deviation?: { given: number; mean: number };
  }[];
  /** Of networks that tell classes: how their classes agree with those of the test part, by stage. */
  classes?: ClassResult[];
  peakDeviceBytes: number;
  /** What the peak was made of, the largest first. */
  peakDeviceOwners?: { owner: string; bytes: number }[];
  /** Sentences. */
  notes: string[];
}
