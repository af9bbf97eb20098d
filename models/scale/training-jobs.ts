import { createHash } from "node:crypto";
import type { Recipe } from "../experiments/index.ts";
import type { Surroundings } from "../experiments/plan.ts";
import { prefix } from "./connection.ts";

/** What a job of a training holds: which of an experiment's it is. Workers see pictures, weights and store under the same paths. */
export interface TrainingJob {
  readonly recipe: Recipe;
  readonly key: string;
  /** The shared folder with the trainings. */
  readonly store: string;
  readonly checkpointSeconds: number;
  /** In words, for logs. */
  readonly title: string;
}

/** The queue of trainings: another adapter or version gives other bits, so each has its own. */
export function trainingQueue(name: string, { adapter, version }: Surroundings): string {
  const digest = createHash("sha256").update(`${adapter}\0${version}`).digest("hex").slice(0, 8);
  return `${name}-trainings-${digest}`;
}

/** Hash of the adapters that workers wait with: when each was last heard of, milliseconds since 1970. */
export const adaptersKey = (name: string) => `${prefix}:${name}:adapters`;

/** Workers in words. */
export const surroundingsWords = ({ adapter, version }: Surroundings) => `${adapter}, Acutance ${version}`;

/** Name of a training's job, and of nothing else. */
export const trainingId = (key: string) => `t-${key.slice(0, 32)}`;
