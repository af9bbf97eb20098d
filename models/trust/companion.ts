import { z } from "zod";
import type { MosRange } from "../data/range.ts";
import type { Companion, CompanionKind } from "./companion-kind.ts";
import { intervalForm, intervalOf } from "./interval.ts";
import { type TypicalityWord, typicalityForm, typicalityOf, typicalityShapes } from "./typicality.ts";

const trustForm = z.strictObject({ interval: intervalForm.optional(), typicality: typicalityForm.optional() });

/** What the header of a file has of how far a model's scores can be trusted. */
export type TrustFacts = z.output<typeof trustForm>;

export type Trust = Companion<TrustFacts>;

export const trustKind: CompanionKind<TrustFacts> = {
  form: trustForm,
  shapes: ({ typicality }, { featureLength }) => (typicality ? typicalityShapes(typicality, featureLength) : {}),
  fault: ({ interval }, { range: [low, high] }) => {
    if (!interval || (interval.at[0] === low && interval.at.at(-1) === high)) return undefined;
    return `its interval is for scores from ${interval.at[0]} to ${interval.at.at(-1)}, the model's go from ${low} to ${high}`;
  },
  readsFeature: ({ typicality }) => typicality !== undefined,
};

/** How far the score of a picture can be trusted, where its model says so. */
export interface Trusted {
  /** Where people's mean opinion lies with probability `level`, for pictures such as the model was calibrated on; holds the score. */
  readonly interval?: { readonly low: number; readonly high: number; readonly level: number };
  /** How much the picture is like the photographs that the model knows. */
  readonly typicality?: {
    /** Share of known photographs that are less typical, 0 to 1. */
    readonly share: number;
    readonly word: TypicalityWord;
  };
}

/** What a model says of a score. @param feature pooled feature of the picture; without it nothing is said of how typical it is */
export function trusted(
  { facts: { interval, typicality }, tensors }: Trust,
  { score, feature }: { readonly score: number; readonly feature: Float32Array | undefined },
  range: MosRange,
): Trusted {
  const [low, high] = interval ? intervalOf(score, interval, range) : [0, 0];
  return {
    ...(interval && { interval: { low, high, level: interval.level } }),
    ...(typicality && feature && { typicality: typicalityOf(feature, typicality, tensors) }),
  };
}
