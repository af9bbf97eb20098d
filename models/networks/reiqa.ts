import { resizeBicubic } from "../../engine/ops/pictures/bicubic.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import { createBackbone, type InitReport } from "../backbones/index.ts";
import { OptionError } from "../options.ts";
import type { BodyKind, BodyMaking } from "./body.ts";
import { type Beside, SideBySide } from "./side-by-side.ts";
import { StandardBody, standard } from "./standard.ts";

type Role = "content" | "quality";

/** Encoders by the word of the option `encoders`. */
const roles: Readonly<Record<"both" | Role, readonly Role[]>> = {
  both: ["content", "quality"],
  content: ["content"],
  quality: ["quality"],
};

/** What stands before an encoder's names in a file that says whose they are: our own, and MoCo's, whose encoder tells content. */
const ownPrefixes: Readonly<Record<Role, readonly string[]>> = {
  content: ["content.", "encoder_q.", "module.encoder_q."],
  quality: ["quality."],
};

/** The picture, and the same at half its height and width, rounded down, by Pillow's bicubic filter, which widens as it shrinks; unlike Pillow, without rounding to bytes. */
function wholeAndHalf(x: Tensor): readonly Tensor[] {
  const [, height, width] = x.shape as [number, number, number];
  return [x, resizeBicubic(x, { height: height >> 1, width: width >> 1, antialias: true })];
}

/**
 * The encoders of Re-IQA (Saha, Mishra & Bovik 2023), and what the standard network makes of their feature: content whole, content half, quality
 * whole, quality half. Only the content encoder has its input normalised.
 */
class ReIqaBody extends StandardBody {
  readonly #encoders: SideBySide;
  readonly #frozen: boolean;

  /** @param alone whether it is the quality encoder as it is trained: at one size */
  constructor(making: BodyMaking, alone: boolean) {
    const { backbone: first, device, options, random } = making;
    const { backbone, stages, featureDepths, encoders, pooling, frozen } = options;
    if (featureDepths.length > 0)
      throw new OptionError(
        `\`featureDepths\` ${featureDepths}: the network ${options.network} pools the last map alone`,
      );
    const made = roles[alone ? "quality" : encoders].map((role, i): Beside => {
      const other = () =>
        createBackbone(backbone, device, random?.fork(`${role} encoder`), stages < 4 ? { stages } : {});
      const encoder = i === 0 ? first : other();
      return {
        role,
        backbone: encoder,
        depths: [encoder.layers],
        looks: alone ? (x) => [x] : wholeAndHalf,
        lookCount: alone ? 1 : 2,
        normalised: role === "content",
        prefixes: ownPrefixes[role],
      };
    });
    const all = new SideBySide(made, pooling, {
      fewer: "fewer `stages`",
      otherwise: (found) => `, or \`encoders\` ${found.join()}`,
    });
    super({ ...making, backbone: all });
    this.#encoders = all;
    this.#frozen = frozen > 0;
  }

  start(files: readonly WeightsFile[]): Promise<InitReport> {
    return this.#encoders.startAll(files, this.#frozen);
  }
}

export const reIqa: BodyKind = { ...standard, make: (making) => new ReIqaBody(making, false) };
/** The quality encoder alone. */
export const reIqaQuality: BodyKind = { ...standard, make: (making) => new ReIqaBody(making, true) };
