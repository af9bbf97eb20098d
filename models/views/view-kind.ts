/** How a picture is shown in a step: as it is, cut and mirrored at random (weak), or changed more (strong, see `strongViews`). */
export type ViewKind = "weak" | "strong";

/** The views that a step takes of a picture of each part, a row each, one after another. */
export interface PartViews {
  readonly labelled: readonly ViewKind[];
  readonly unlabelled: readonly ViewKind[];
}

/** Every picture once. */
export const oneView: PartViews = { labelled: ["weak"], unlabelled: ["weak"] };
