import { Linear } from "../../engine/nn/layers.ts";
import { join, type NamedTensor } from "../../engine/nn/named.ts";
import { concat } from "../../engine/ops/join.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import { type Backbone, createBackbone, type InitReport } from "../backbones/index.ts";
import type { Body, BodyKind, BodyMaking, Outputs } from "./body.ts";
import { beside } from "./paired.ts";
import { SideBySide } from "./side-by-side.ts";
import { columns, Trunk } from "./trunk.ts";
import { TrunkBody } from "./trunk-body.ts";

const names = ["first", "second"] as const;
const logits = "head.logits";

/**
 * Two backbones of unlike kinds, each with a linear layer of its own that gives a score: an ensemble of two, whose score is their mean. The feature is
 * that of the first, then that of the second.
 */
class BranchesBody extends TrunkBody implements Body {
  readonly backbone: Backbone;
  protected override readonly trunk: Trunk;
  readonly #pair: SideBySide;
  readonly #making: BodyMaking;
  readonly #layers: readonly Linear[];
  readonly featureParts: readonly [number, number];

  constructor(making: BodyMaking) {
    super();
    const { backbone: first, device, options, random, answerStart } = making;
    const { featureDepths, second: word, secondDepths, sides, secondSides, pooling, crop } = options;
    const second = createBackbone(word, device, random?.fork("second backbone"));
    const both = [
      beside("first", first, { name: "featureDepths", depths: featureDepths }, sides, crop),
      beside("second", second, { name: "secondDepths", depths: secondDepths }, secondSides, crop),
    ] as const;
    this.#pair = new SideBySide(both, pooling, { fewer: "smaller `featureDepths` or `secondDepths`" });
    const [d1, d2] = both.map(
      ({ backbone, depths, lookCount }) =>
        lookCount * depths.reduce((sum, depth) => sum + backbone.lengthOf(depth, pooling), 0),
    );
    this.featureParts = [d1!, d2!];
    this.#making = making;
    this.trunk = new Trunk(this.#pair, { ...options, featureDepths: [] });
    this.backbone = this.#pair;
    this.#layers = this.featureParts.map((length, i) => {
      const deviation = 0.1 / Math.sqrt(3 * length);
      const layer = new Linear(device, random?.fork(`logits ${names[i]}`), { in: length, out: 1 }, deviation);
      if (random && answerStart !== undefined) layer.bias.write(Float32Array.of(answerStart));
      return layer;
    });
  }

  get featureLength(): number {
    return this.featureParts[0] + this.featureParts[1];
  }

  get embeddingLength(): number {
    return this.featureLength;
  }

  protected override head(feature: Tensor, training: boolean): Outputs {
    const [d1] = this.featureParts;
    const own = [columns(feature, 0, d1), columns(feature, d1, this.featureLength)];
    const scores = own.map((rows, i) => this.#layers[i]!.forward(this.#making.dropped(rows, training)));
    return { feature, embedding: feature, logits: concat(scores, 1) };
  }

  start(files: readonly WeightsFile[]): Promise<InitReport> {
    return this.#pair.startAll(files, this.#making.options.frozen > 0);
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      ...this.backbone.tensors(prefix),
      ...this.#layers.flatMap((layer, i) => layer.tensors(join(prefix, `${logits}.${names[i]}`))),
    ];
  }
}

export const branches: BodyKind = {
  make: (making) => new BranchesBody(making),
  expected: () => names.map((name) => ["network branches, of length", 1, `${logits}.${name}.weight`] as const),
};
