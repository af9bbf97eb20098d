import { OptionError, otherDefault, wholeFromZero } from "../../options.ts";
import type { Phase } from "../../training/method.ts";
import { trainingShape } from "../../training/options.ts";
import { encoderFile, type TrainingData } from "../../training/training.ts";
import type { ViewKind } from "../../views/view-kind.ts";
import { expectPictures } from "./with-unlabelled.ts";

/** Options of a training of an encoder alone, on pictures without labels that are degraded anew in each epoch. */
export const encoderShape = {
  embedding: otherDefault(trainingShape.embedding, 0),
  head: otherDefault(trainingShape.head, "score"),
  cropFrom: otherDefault(trainingShape.cropFrom, "original"),
  schedule: otherDefault(trainingShape.schedule, "cosine"),
  epochs: wholeFromZero.min(1).default(30).describe("passes over the pictures"),
};

/** @throws OptionError for pictures that are resized, or kept as frozen sections see them */
export function expectDegraded({ cropFrom, frozen }: { readonly cropFrom: string; readonly frozen: number }): void {
  if (cropFrom !== "original")
    throw new OptionError(`\`cropFrom\` ${cropFrom}: pictures are degraded at their own size; leave it out`);
  if (frozen > 0) throw new OptionError(`\`frozen\` ${frozen}: views are new in each epoch; leave \`frozen\` out`);
}

/** The one phase of such a training. */
export function encoderPhase(
  { epochs, batch }: { readonly epochs: number; readonly batch: number },
  views: readonly ViewKind[],
  own: Pick<Phase, "name" | "begin" | "wholeBatches">,
): Phase {
  return {
    ...{ epochs, epochsOption: "epochs", batch: { labelled: 0, unlabelled: batch }, batchOptions: ["batch"] },
    ...{ views: { labelled: [], unlabelled: views }, file: encoderFile },
    ...own,
  };
}

/** What such methods expect of pictures. */
export const fromPicturesAlone = {
  withoutLabels: true,
  expectData({ unlabelled }: Pick<TrainingData, "unlabelled">, { batch }: { readonly batch: number }): void {
    expectPictures(unlabelled.length, "batch", batch);
  },
};
