/**
 * How a picture is shown in a step: as it is, cut and mirrored at random (weak); changed more (strong, see `strongViews`); or as the view
 * before it, turned by a further quarter (turned). A version is one of a picture's degraded ones, cut twice (see `VersionInputs`); a picture
 * that is seen so has no other views. Nor has one that is seen degraded, each view by another kind (see `DegradedInputs`).
 */
export type ViewKind = "weak" | "strong" | "turned" | "version" | "degraded";

/** The views that a step takes of a picture of each part, a row each, one after another. */
export interface PartViews {
  readonly labelled: readonly ViewKind[];
  readonly unlabelled: readonly ViewKind[];
  /** Of unlabelled pictures that come in an order of their own, for a task beside. */
  readonly further?: readonly ViewKind[];
}

/** Every picture once. */
export const oneView: PartViews = { labelled: ["weak"], unlabelled: ["weak"] };

/** All kinds of views of all parts. */
export function kindsIn({ labelled, unlabelled, further = [] }: PartViews = oneView): ViewKind[] {
  return [...labelled, ...unlabelled, ...further];
}
