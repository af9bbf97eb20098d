import { z } from "zod";
import { atLeastZero, OptionError, positive } from "../options.ts";
import { LABEL_MODES, ONE_HOT_LEVELS } from "./labels.ts";

/** Options that say how a mean opinion score becomes a label. */
export const labelShape = {
  labelMode: z
    .enum(LABEL_MODES)
    .default("adjacent")
    .describe(
      "how a score, or what is known of the opinions, becomes a distribution (Eq. 2, which read literally is minent)",
    ),
  labelDeviation: positive
    .default(10)
    .describe(
      "with the label mode gauss: standard deviation of a label, on the scale 1 to 100; with gauss-own that of pictures labelled by a model",
    ),
  ordinal: atLeastZero
    .max(1000)
    .default(0)
    .describe(
      "with the head classes: σ, in classes, of the normal density over its neighbours that a class becomes where it is learnt, given or guessed; 0 for the class alone",
    ),
  range: z
    .enum(["nominal", "observed"])
    .default("nominal")
    .describe("ends of Eq. 1: the data set's scale, or the extremes of the labelled part"),
};

export type LabelOptions = z.infer<z.ZodObject<typeof labelShape>>;

/** @throws OptionError when the label options do not go with the head or the size of the score set */
export function expectLabelOptions(options: LabelOptions & { readonly levels: number; readonly head: string }): void {
  if (options.head !== "distribution") {
    for (const name of ["labelMode", "labelDeviation"] as const) {
      if (options[name] === labelShape[name].parse(undefined)) continue;
      throw new OptionError(
        `\`${name}\` ${options[name]} says how a score becomes a distribution, and the \`head\` ${options.head} learns none; leave \`${name}\` out`,
      );
    }
  }
  if (options.ordinal > 0 && options.head !== "classes") {
    throw new OptionError(
      `\`ordinal\` ${options.ordinal} smooths classes over their neighbours, and the \`head\` ${options.head} has none; leave it out, or give \`head\` classes`,
    );
  }
  if (options.labelMode === "onehot5" && options.levels !== ONE_HOT_LEVELS) {
    throw new OptionError(
      `\`labelMode\` onehot5 has one level for each fifth of the scale, \`levels\` is ${options.levels}; give \`levels\` ${ONE_HOT_LEVELS}`,
    );
  }
}
