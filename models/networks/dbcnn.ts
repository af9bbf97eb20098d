import { withoutGradients } from "../../engine/autograd.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { join, type NamedTensor } from "../../engine/nn/named.ts";
import { add } from "../../engine/ops/arithmetic.ts";
import { bilinearPool } from "../../engine/ops/bilinear.ts";
import { cast } from "../../engine/ops/cast.ts";
import { l2Normalise } from "../../engine/ops/normalise-l2.ts";
import { resize } from "../../engine/ops/pictures/image.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { sqrt } from "../../engine/ops/unary.ts";
import { type Shape, sizeOf, Tensor } from "../../engine/tensor.ts";
import { renamed } from "../../engine/weights/renamed.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import type { Backbone, InitReport } from "../backbones/index.ts";
import { Scnn } from "../backbones/scnn.ts";
import type { MosRange } from "../data/index.ts";
import type { Body, BodyKind, BodyMaking, Outputs, Pass } from "./body.ts";
import { noScoreLayerLine, scoreLayerLine, startScoreLayer } from "./score-layer.ts";
import { answerExpected } from "./standard.ts";
import { columns, joinRows, throughBackbone } from "./trunk.ts";

const branch = "scnn";
const logits = "head.logits";

/**
 * DB-CNN (Zhang et al. 2020): the last map X1 of the backbone, which knows what pictures show, and the map X2 of an S-CNN, which knows
 * distortions, brought to the size of X1. B = X1ᵀ X2 / (H W), whose entries are at least 0; √(B + 10⁻⁸) at length 1 is what a linear
 * layer reads. The authors' backbone is VGG-16 before its last pooling. With `frozen` sections the S-CNN is frozen as a whole.
 */
class DbCnnBody implements Body {
  readonly backbone: Backbone;
  readonly branches: readonly (readonly [string, Backbone])[];
  readonly #scnn: Scnn;
  readonly #classify: Linear;
  readonly #making: BodyMaking;

  constructor(making: BodyMaking) {
    const { device, backbone, random, answerLength, answerStart } = making;
    this.#making = making;
    this.backbone = backbone;
    this.#scnn = new Scnn(device, random?.fork(branch));
    this.branches = [[branch, this.#scnn]];
    const inputs = this.featureLength;
    // Kaiming: variance 2 / inputs.
    const deviation = Math.sqrt(2 / inputs);
    this.#classify = new Linear(device, random?.fork("logits"), { in: inputs, out: answerLength }, deviation);
    if (random && answerStart !== undefined)
      this.#classify.bias.write(new Float32Array(answerLength).fill(answerStart));
  }

  get featureLength(): number {
    return this.backbone.features * this.#scnn.features;
  }

  get embeddingLength(): number {
    return this.featureLength;
  }

  forward(x: Tensor, pass: Pass): Outputs {
    if (this.#frozen === 0) return this.#head(x, this.#distortions(x, pass), pass);
    const [map, distortions] = this.#fixed(x);
    return this.#head(map, distortions, pass);
  }

  prefix(x: Tensor): Tensor {
    return joinRows(this.#fixed(x).map((map) => reshape(map, [map.shape[0]!, map.size / map.shape[0]!])));
  }

  prefixMap(x: Tensor): Shape {
    return this.#fixed(x)[0].shape.slice(1);
  }

  forwardRows(rows: Tensor, mapShape: Shape | undefined, pass: Pass): Outputs {
    const [images, length] = rows.shape as [number, number];
    const size = sizeOf(mapShape!);
    // What is stored is of square pictures.
    const side = Math.sqrt((length - size) / this.#scnn.features);
    const distortions = reshape(columns(rows, size, length), [images, side, side, this.#scnn.features]);
    return this.#head(reshape(columns(rows, 0, size), [images, ...mapShape!]), distortions, pass);
  }

  get #frozen(): number {
    return this.#making.options.frozen;
  }

  /** What the frozen sections make of pictures: the map of the backbone, and that of the S-CNN. */
  #fixed(x: Tensor): [map: Tensor, distortions: Tensor] {
    return withoutGradients(() => [this.backbone.through(x, false, 0, this.#frozen), this.#scnn.through(x, false)]);
  }

  #distortions(x: Tensor, pass: Pass): Tensor {
    return throughBackbone(pass, (training) => this.#scnn.through(cast(x, pass.precision), training));
  }

  /** @param map after the frozen sections @param distortions the map of the S-CNN */
  #head(map: Tensor, distortions: Tensor, pass: Pass): Outputs {
    const last = throughBackbone(pass, (training) =>
      this.backbone.through(cast(map, pass.precision), training, this.#frozen),
    );
    const x1 = cast(last, "f32");
    const [, height, width] = x1.shape as [number, number, number, number];
    const x2 = resize(cast(distortions, "f32"), { height, width, alignCorners: true });
    const products = add(bilinearPool(x1, x2), Tensor.constant(x1.device, [1e-8], [1]));
    const feature = l2Normalise(sqrt(products));
    const dropped = this.#making.dropped(feature, pass.training);
    return { feature, embedding: feature, logits: this.#classify.forward(dropped) };
  }

  /** From the authors' whole network, or from files of a backbone and an S-CNN. Of several the last counts. */
  async start(files: readonly WeightsFile[], range: MosRange): Promise<InitReport> {
    const { head } = this.#making.options;
    const lines: string[] = [];
    const fresh = new Map<Backbone, ReadonlySet<string>>();
    let headStarted = false;
    const startBranch = async (branch: Backbone, from: WeightsFile) => {
      const report = await branch.start(from);
      fresh.set(branch, report.fresh);
      lines.push(...(branch === this.#scnn ? [`the S-CNN starts from ${from.path}`] : report.lines));
    };
    for (const file of files) {
      if (Scnn.isIn(file)) await startBranch(this.#scnn, file);
      else if (!file.tensors.has("features2.0.weight")) await startBranch(this.backbone, file);
      else {
        // `features1` of the authors is what torchvision calls `features`; of another backbone it is the whole.
        const inside = this.backbone.tensors("")[0]!.name.startsWith("features.") ? "features." : "";
        await startBranch(this.backbone, renamed(file, "features1.", inside));
        await startBranch(this.#scnn, renamed(file, "features2.", "features."));
        headStarted = head === "score";
        if (headStarted) await startScoreLayer(file, "fc", this.#classify, range, true);
        lines.push(headStarted ? scoreLayerLine(file, range) : noScoreLayerLine(file, head));
      }
    }
    const freshOf = (prefix: string, branch: Backbone) => {
      const names = fresh.get(branch) ?? branch.tensors("").map(({ name }) => name);
      if (!fresh.has(branch)) lines.push(`${branch === this.#scnn ? "the S-CNN" : "the backbone"} starts fresh`);
      return [...names].map((name) => join(prefix, name));
    };
    return { lines, fresh: new Set([...freshOf("", this.backbone), ...freshOf(branch, this.#scnn)]), headStarted };
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      ...this.backbone.tensors(prefix),
      ...this.#scnn.tensors(join(prefix, branch)),
      ...this.#classify.tensors(join(prefix, logits)),
    ];
  }
}

export const dbcnn: BodyKind = {
  make: (making) => new DbCnnBody(making),
  expected: ({ head }, answerLength) => [answerExpected({ head }, answerLength, `${logits}.weight`)],
};
