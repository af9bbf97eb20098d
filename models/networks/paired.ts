import { resizeBicubic } from "../../engine/ops/pictures/bicubic.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import { type Backbone, createBackbone, type InitReport } from "../backbones/index.ts";
import { OptionError } from "../options.ts";
import type { BodyKind, BodyMaking } from "./body.ts";
import { type Beside, SideBySide } from "./side-by-side.ts";
import { StandardBody, standard } from "./standard.ts";

/**
 * Two backbones of unlike kinds, each of which sees the picture at sizes of its own, and what the standard network makes of their features one
 * behind the other: those of the first at each of its sides and depths, then those of the second.
 */
class PairedBody extends StandardBody {
  readonly #pair: SideBySide;
  readonly #frozen: boolean;

  constructor(making: BodyMaking) {
    const { backbone, device, options, random } = making;
    const { featureDepths, second, secondDepths, sides, secondSides, pooling, frozen, crop } = options;
    const other = createBackbone(second, device, random?.fork("second backbone"));
    const pair = new SideBySide(
      [
        beside("first", backbone, { name: "featureDepths", depths: featureDepths }, sides, crop),
        beside("second", other, { name: "secondDepths", depths: secondDepths }, secondSides, crop),
      ],
      pooling,
      { fewer: "smaller `featureDepths` or `secondDepths`" },
    );
    super({ ...making, backbone: pair, options: { ...options, featureDepths: [] } });
    this.#pair = pair;
    this.#frozen = frozen > 0;
  }

  start(files: readonly WeightsFile[]): Promise<InitReport> {
    return this.#pair.startAll(files, this.#frozen);
  }
}

/** @throws OptionError when the backbone does not have such depths */
export function beside(
  role: string,
  backbone: Backbone,
  asked: { readonly name: string; readonly depths: readonly number[] },
  sides: readonly number[],
  crop: number,
): Beside {
  const depths = asked.depths.length > 0 ? asked.depths : [backbone.layers];
  const beyond = depths.find((depth) => depth > backbone.layers);
  if (beyond !== undefined)
    throw new OptionError(
      `\`${asked.name}\` ${asked.depths}: the ${role} backbone has the depths 1 to ${backbone.layers}`,
    );
  const all = sides.length > 0 ? sides : [crop];
  return {
    ...{ role, backbone, depths, normalised: true, prefixes: [`${role}.`] },
    looks: (x) => all.map((side) => seenAt(x, side)),
    lookCount: all.length,
  };
}

/** Squares [N, H, H, 3] at another side, by Pillow's bicubic filter. */
function seenAt(x: Tensor, side: number): Tensor {
  return x.shape[1] === side ? x : resizeBicubic(x, { height: side, width: side, antialias: true });
}

export const paired: BodyKind = { ...standard, make: (making) => new PairedBody(making) };
