import { z } from "zod";
import type { CompanionKind } from "../networks/companion.ts";

/** How typical pictures are told from others. */
const typicalityForm = z.strictObject({
  /** Photographs whose features it was made from. */
  photographs: z.int().min(2),
  /** Directions of the feature that distances are taken in. */
  directions: z.int().min(1).max(65_536),
});

const trustForm = z.strictObject({ typicality: typicalityForm.optional() });

/** What goes into the header of a file about how far a model's scores can be trusted. */
export type TrustFacts = z.output<typeof trustForm>;

export const trustKind: CompanionKind<TrustFacts> = {
  form: trustForm,
  shapes: ({ typicality }, { featureLength }) =>
    typicality ? { mean: [featureLength], directions: [typicality.directions, featureLength] } : {},
  readsFeature: ({ typicality }) => typicality !== undefined,
};
