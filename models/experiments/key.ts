import { createHash } from "node:crypto";
import type { MosRange } from "../data/index.ts";
import { headNames } from "../networks/heads.ts";
import type { TrainingOptions } from "../training/options.ts";
import { defaultMethod } from "./settings.ts";
import type { HashedRow, HashedSet } from "./sources.ts";

/** What a training's bits depend on. */
export interface TrainingContent {
  readonly method: string;
  /** Place of its phase in the method, the first being 1. */
  readonly stage: number;
  /** As {@link phaseOptions} gives them. */
  readonly options: TrainingOptions;
  /** SHA-256 of the weights file it starts from, the key of the training it goes on from, or null for random weights. */
  readonly start: string | null;
  readonly range: MosRange;
  readonly labelled: readonly HashedRow[];
  readonly unlabelled: readonly HashedRow[];
  readonly ranked?: readonly HashedSet[];
  /** They change no weight, but the results that are kept under the key. */
  readonly validation: readonly HashedRow[];
  readonly test: readonly HashedRow[];
  /** Whose labels it learns, on which pictures and how. */
  readonly labels?: {
    readonly by: string;
    readonly pool: readonly HashedRow[];
    readonly use: object;
  };
  /** Adapter in words: another one rounds otherwise. */
  readonly adapter: string;
  /** Of the package. */
  readonly version: string;
}

/** SHA-256, in hexadecimal, of the canonical JSON of a training's content: one configuration has one key. */
export function trainingKey({
  method,
  labelled,
  unlabelled,
  ranked,
  validation,
  test,
  labels,
  ...rest
}: TrainingContent): string {
  return digest({
    ...rest,
    // Trainings by the default, and with the default head, were kept before there were others.
    ...(method !== defaultMethod && { method }),
    options: {
      ...rest.options,
      ...(rest.options.head === headNames[0] && { head: undefined }),
      // And with classes of equal width.
      ...(rest.options.classesBy === "width" && { classesBy: undefined }),
      ...(rest.options.classEdges?.length === 0 && { classEdges: undefined }),
    },
    labelled: labelled.map(contentOf),
    // Their order is that of the batches, so rows are not sorted here.
    unlabelled: unlabelled.map(contentOf),
    ranked: ranked?.map(({ pictures }) => pictures.map(({ name, level, sha256 }) => [name, level, sha256])),
    validation: validation.map(contentOf),
    test: test.map(contentOf),
    ...(labels && { labels: { ...labels, pool: labels.pool.map(contentOf) } }),
  });
}

/** SHA-256 of the rows of a data set that a model is tested on. */
export function rowsKey(rows: readonly HashedRow[], range: MosRange): string {
  return digest({ range, rows: rows.map(contentOf) });
}

function contentOf({ name, mos, sd, histogram, sha256 }: HashedRow) {
  return [name, mos ?? null, sd ?? null, histogram ?? null, sha256];
}

/** SHA-256, in hexadecimal, of the canonical JSON of a value. */
export function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** JSON with the keys of every object sorted and no spaces; what is undefined is left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
