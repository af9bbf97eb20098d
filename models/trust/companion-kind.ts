import type { z } from "zod";

/** Numbers that go with a network in its file and are no part of it, such as how far its scores are from people's. */
export interface Companion<Facts extends object = object> {
  /** Kept as JSON. */
  readonly facts: Facts;
  /** By their names within the companion; kept as f32. */
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
}

/** What a companion has to fit. */
export interface NetworkSizes {
  /** Length of the pooled feature. */
  readonly featureLength: number;
  /** Numbers that come of a view. */
  readonly answerLength: number;
  /** Ends of the scale of scores. */
  readonly range: readonly [number, number];
}

/** What all companions of a name have in common. */
export interface CompanionKind<Facts extends object> {
  readonly form: z.ZodType<Facts>;
  /** Shapes of the tensors that go with the facts, by name; undefined for one that is not there. */
  readonly shapes: (facts: Facts, sizes: NetworkSizes) => Readonly<Record<string, readonly number[] | undefined>>;
  /** Why facts do not go with a network; undefined when they do. */
  readonly fault?: (facts: Facts, sizes: NetworkSizes) => string | undefined;
  /** Whether it needs the pooled feature of a picture beside the answer. */
  readonly readsFeature: (facts: Facts) => boolean;
}
