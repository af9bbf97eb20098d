import { BatchNorm, Linear } from "../../engine/nn/layers.ts";
import { join, type NamedTensor } from "../../engine/nn/named.ts";
import { relu } from "../../engine/ops/activations.ts";
import { reshape } from "../../engine/ops/shape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Backbone } from "../backbones/index.ts";
import type { Body, BodyKind, BodyMaking, Outputs } from "./body.ts";
import type { ModelOptions } from "./options.ts";
import { Trunk } from "./trunk.ts";
import { TrunkBody } from "./trunk-body.ts";

/**
 * Backbone → pooled feature → feature of length `embedding` → what the head is made from: m logits in the network of CPL-IQA (head: [U]
 * in detail; ReLU after the feature). With `embedding` 0 the last layer reads the pooled feature, as in NIMA and plain regressors.
 */
export class StandardBody extends TrunkBody implements Body {
  readonly backbone: Backbone;
  readonly norm: BatchNorm | undefined;
  protected override readonly trunk: Trunk;
  readonly #embed: Linear | undefined;
  readonly #classify: Linear;
  readonly #making: BodyMaking;

  constructor(making: BodyMaking) {
    super();
    const { device, backbone, options, random, answerLength, answerStart } = making;
    this.#making = making;
    this.backbone = backbone;
    this.trunk = new Trunk(backbone, options);
    const { features } = this.trunk;
    if (options.featureNorm !== "none") this.norm = new BatchNorm(device, features);
    if (options.featureNorm === "fixed") this.norm!.freeze();
    if (options.embedding > 0)
      this.#embed = new Linear(device, random?.fork("embedding"), { in: features, out: options.embedding });
    const inputs = this.embeddingLength;
    // A score starts near the middle of the scale, a tenth as far from it as PyTorch's default weights have it; heads of an ensemble start apart.
    const deviation = options.head === "score" ? 0.1 / Math.sqrt(3 * inputs) : undefined;
    this.#classify = new Linear(device, random?.fork("logits"), { in: inputs, out: answerLength }, deviation);
    if (random && answerStart !== undefined)
      this.#classify.bias.write(new Float32Array(answerLength).fill(answerStart));
  }

  get featureLength(): number {
    return this.trunk.features;
  }

  get embeddingLength(): number {
    return this.#making.options.embedding || this.featureLength;
  }

  protected override head(feature: Tensor, training: boolean): Outputs {
    const normal = this.norm ? normed(this.norm, feature, training) : feature;
    const embedding = this.#embed ? relu(this.#embed.forward(normal)) : normal;
    return { feature, embedding, logits: this.#classify.forward(this.#making.dropped(embedding, training)) };
  }

  tensors(prefix: string): NamedTensor[] {
    const head = join(prefix, "head");
    return [
      ...this.backbone.tensors(prefix),
      ...(this.norm?.tensors(`${head}.norm`) ?? []),
      ...(this.#embed?.tensors(`${head}.embedding`) ?? []),
      ...this.#classify.tensors(`${head}.logits`),
    ];
  }
}

export const standard: BodyKind = {
  make: (making) => new StandardBody(making),
  expected: ({ embedding, head }, answerLength) => [
    ...(embedding > 0 ? [["embedding", embedding, "head.embedding.weight"] as const] : []),
    answerExpected({ head }, answerLength, "head.logits.weight"),
  ],
};

/** What options say of the last layer of a network, the tensor of this name. */
export function answerExpected({ head }: Pick<ModelOptions, "head">, answerLength: number, tensor: string) {
  return [head === "score" ? "head score, of length" : "levels", answerLength, tensor] as const;
}

/** Batch normalisation of rows [N, C]. */
function normed(norm: BatchNorm, x: Tensor, training: boolean): Tensor {
  const [rows, channels] = x.shape as [number, number];
  return reshape(norm.forward(reshape(x, [rows, 1, 1, channels]), training), [rows, channels]);
}
