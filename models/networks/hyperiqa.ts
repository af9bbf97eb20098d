import type { Device } from "../../engine/device/device.ts";
import { Convolution, Linear } from "../../engine/nn/layers.ts";
import { join, type Layer, loadTensors, type NamedTensor } from "../../engine/nn/named.ts";
import { relu, sigmoid } from "../../engine/ops/activations.ts";
import { adaptiveAveragePool2d } from "../../engine/ops/adaptive-pool.ts";
import { linearPerSample } from "../../engine/ops/contraction/per-sample.ts";
import { concat, permute } from "../../engine/ops/join.ts";
import { globalAveragePool } from "../../engine/ops/pool.ts";
import { reshape, transpose } from "../../engine/ops/shape.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { renamed } from "../../engine/weights/renamed.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";
import { type Backbone, type InitReport, ResNet } from "../backbones/index.ts";
import type { MosRange } from "../data/index.ts";
import { OptionError } from "../options.ts";
import type { Body, BodyKind, BodyMaking, Outputs } from "./body.ts";
import { noScoreLayerLine, scoreLayerLine, startScoreLayer } from "./score-layer.ts";
import { answerExpected } from "./standard.ts";
import { columns, Trunk } from "./trunk.ts";
import { TrunkBody } from "./trunk-body.ts";

/** Length of the local vector, and of the maps of the net that an image's own weights make. */
const lengths = [224, 112, 56, 28, 14] as const;
/** What each stage but the last adds to the local vector. */
const localLength = 16;
/** Channels of the hyper feature, and its height and width. */
const hyperChannels = 112;
const hyperSide = 7;

/** Height and width that the map of a stage is averaged to, and the channels that it is brought to then. */
const localSide = (stage: number) => 8 >> stage;
const localChannels = (stage: number) => 16 << stage;

/** Whether a tensor is of the layers that make the local vector, which the authors count to the backbone. */
export function isLocal(name: string): boolean {
  return name.startsWith("head.lda");
}

/**
 * HyperIQA (Su et al. 2020). The maps of a ResNet's stages make a local vector of 224 numbers; the last makes, by a hyper network, the weights
 * of a small net 224-112-56-28-14-1 that are the picture's own, with a sigmoid between its layers. Weights are those of 3x3
 * convolutions on a 7x7 map of 112 channels, read channel by channel as [out, in]. Names within the head are the authors'.
 *
 * Maps are averaged to 8x8, 4x4, 2x2 and 7x7 places. Pictures of 224 pixels are the authors' case; with others the windows are uneven, and the
 * same weights fit. An average and a 1x1 convolution without bias commute: what is kept of frozen stages are averages. With fewer
 * `stages` the last of them stands for the fourth.
 */
class HyperIqaBody extends TrunkBody implements Body {
  readonly backbone: Backbone;
  protected override readonly trunk: Trunk;
  readonly #making: BodyMaking;
  /** Channels of each stage's map. */
  readonly #widths: readonly number[];
  readonly #layers = new Map<string, Convolution | Linear>();

  constructor(making: BodyMaking) {
    super();
    const { backbone, options } = making;
    if (!(backbone instanceof ResNet))
      throw new OptionError(`\`backbone\` ${options.backbone}: the \`network\` hyperiqa takes a ResNet`);
    this.#making = making;
    this.backbone = backbone;
    const depths = backbone.stageDepths;
    this.#widths = depths.map((depth) => backbone.lengthOf(depth));
    const sideOf = (depth: number) => this.#sideOf(depths.indexOf(depth));
    this.trunk = new Trunk(backbone, options, {
      depths,
      pool: (map, depth) => {
        const side = sideOf(depth);
        const pooled = adaptiveAveragePool2d(map, { height: side, width: side });
        return reshape(pooled, [map.shape[0]!, pooled.size / map.shape[0]!]);
      },
      lengthOf: (depth) => sideOf(depth) ** 2 * backbone.lengthOf(depth),
    });
    this.#make(making);
  }

  get featureLength(): number {
    return lengths[0];
  }

  get embeddingLength(): number {
    return lengths[0];
  }

  get #last(): number {
    return this.#widths.length - 1;
  }

  #sideOf(stage: number): number {
    return stage === this.#last ? hyperSide : localSide(stage);
  }

  /** Layers by the authors' names: of the local vector as they count them, the last stage being the fourth. */
  #make({ device, random, answerLength, answerStart }: BodyMaking): void {
    const layers = this.#layers;
    const last = this.#last;
    for (let stage = 0; stage < last; stage++) {
      const channels = { in: this.#widths[stage]!, out: localChannels(stage) };
      const name = `lda${stage + 1}`;
      layers.set(`${name}_pool.0`, convolution(device, random?.fork(`${name}_pool`), channels, 1, "normal"));
      const places = { in: localChannels(stage) * localSide(stage) ** 2, out: localLength };
      layers.set(`${name}_fc`, linear(device, random?.fork(`${name}_fc`), places));
    }
    const width = this.#widths[last]!;
    const rest = { in: width, out: lengths[0] - localLength * last };
    layers.set("lda4_fc", linear(device, random?.fork("lda4_fc"), rest));
    const narrower = [width / 2, width / 4, hyperChannels].map((channels) => Math.max(channels, hyperChannels));
    const content = [width, ...narrower];
    content.slice(0, -1).forEach((inputs, i) => {
      const channels = { in: inputs, out: content[i + 1]! };
      layers.set(`conv1.${2 * i}`, convolution(device, random?.fork(`conv1.${2 * i}`), channels, 1, "uniform"));
    });
    lengths.slice(0, -1).forEach((inputs, i) => {
      const out = lengths[i + 1]!;
      const channels = { in: hyperChannels, out: (inputs * out) / hyperSide ** 2 };
      const [weights, biases] = [`fc${i + 1}w_conv`, `fc${i + 1}b_fc`];
      layers.set(weights, convolution(device, random?.fork(weights), channels, 3, "normal"));
      layers.set(biases, linear(device, random?.fork(biases), { in: hyperChannels, out }));
    });
    const lastWeights = { in: hyperChannels, out: lengths.at(-1)! * answerLength };
    layers.set("fc5w_fc", linear(device, random?.fork("fc5w_fc"), lastWeights));
    const bias = linear(device, random?.fork("fc5b_fc"), { in: hyperChannels, out: answerLength });
    layers.set("fc5b_fc", bias);
    if (random && answerStart !== undefined) bias.bias.write(new Float32Array(answerLength).fill(answerStart));
  }

  #through(name: string, x: Tensor): Tensor {
    return this.#layers.get(name)!.forward(x);
  }

  /** @param rows maps of all stages one behind the other */
  protected override head(rows: Tensor, training: boolean): Outputs {
    const images = rows.shape[0]!;
    let from = 0;
    const maps = this.#widths.map((width, stage) => {
      const side = this.#sideOf(stage);
      const until = from + side ** 2 * width;
      const map = reshape(columns(rows, from, until), [images, side, side, width]);
      from = until;
      return map;
    });
    const local = this.#local(maps);
    const dropped = this.#making.dropped(local, training);
    return { feature: local, embedding: local, logits: this.#target(dropped, maps.at(-1)!) };
  }

  #local(maps: readonly Tensor[]): Tensor {
    const parts = maps.map((map, stage) => {
      if (stage === this.#last) return this.#through("lda4_fc", globalAveragePool(map));
      return this.#through(`lda${stage + 1}_fc`, channelMajor(this.#through(`lda${stage + 1}_pool.0`, map)));
    });
    return parts.length === 1 ? parts[0]! : concat(parts, 1);
  }

  /** The local vector through the net that the last map makes: [N, answerLength]. */
  #target(local: Tensor, last: Tensor): Tensor {
    const images = local.shape[0]!;
    const hyper = [0, 2, 4].reduce((map, i) => relu(this.#through(`conv1.${i}`, map)), last);
    const content = globalAveragePool(hyper);
    const perImage = (x: Tensor, weights: Tensor, biases: string) => {
      const bias = this.#through(biases, content);
      const shaped = reshape(weights, [images, bias.shape[1]!, x.shape[1]!]);
      return linearPerSample(x, transpose(shaped), bias);
    };
    const inner = [1, 2, 3, 4].reduce((x, i) => {
      const weights = channelMajor(this.#through(`fc${i}w_conv`, hyper));
      return sigmoid(perImage(x, weights, `fc${i}b_fc`));
    }, local);
    return perImage(inner, this.#through("fc5w_fc", content), "fc5b_fc");
  }

  /** From the authors' whole network, or from a backbone. Of several files the last counts. */
  async start(files: readonly WeightsFile[], range: MosRange): Promise<InitReport> {
    const { head } = this.#making.options;
    let fresh: ReadonlySet<string> = new Set(this.backbone.tensors("").map(({ name }) => name));
    const lines: string[] = [];
    let headStarted = false;
    for (const file of files) {
      const mark = "res.conv1.weight";
      const found = [...file.tensors.keys()].find((name) => name === mark || name.endsWith(`.${mark}`));
      const prefix = found?.slice(0, -mark.length);
      const report = await this.backbone.start(prefix === undefined ? file : renamed(file, `${prefix}res.`));
      fresh = report.fresh;
      lines.push(...report.lines);
      if (prefix === undefined) continue;
      headStarted = head === "score";
      await this.#startHead(prefix ? renamed(file, prefix) : file, range, headStarted);
      lines.push(headStarted ? scoreLayerLine(file, range) : noScoreLayerLine(file, head));
    }
    return { lines, fresh, headStarted };
  }

  /** @param answers whether the last layer starts, too */
  async #startHead(file: WeightsFile, range: MosRange, answers: boolean): Promise<void> {
    const others = [...this.#layers].filter(([name]) => !name.startsWith("fc5"));
    const ofFile = ([name, layer]: readonly [string, Layer]) =>
      layer.tensors(name.startsWith("lda") ? `res.${name}` : name);
    if (this.#last !== 3 || this.#widths[3] !== 2048)
      throw new WeightsError(
        `${file.path} holds a HyperIQA network, which has all stages of a ResNet-50; give \`backbone\` resnet50 and no \`stages\``,
      );
    await loadTensors(file, others.flatMap(ofFile));
    if (!answers) return;
    const layer = (name: string) => this.#layers.get(name) as Linear;
    await startScoreLayer(file, "fc5w_fc", layer("fc5w_fc"), range, false);
    await startScoreLayer(file, "fc5b_fc", layer("fc5b_fc"), range, true);
  }

  tensors(prefix: string): NamedTensor[] {
    const head = join(prefix, "head");
    return [
      ...this.backbone.tensors(prefix),
      ...[...this.#layers].flatMap(([name, layer]) => layer.tensors(join(head, name))),
    ];
  }
}

/** Maps [N, H, W, C] → rows [N, C·H·W], channel by channel as PyTorch has them. */
function channelMajor(map: Tensor): Tensor {
  return reshape(permute(map, [0, 3, 1, 2]), [map.shape[0]!, map.size / map.shape[0]!]);
}

interface Channels {
  readonly in: number;
  readonly out: number;
}

/**
 * A convolution whose weights start by He's fan-in rule (Kaiming normal), or uniform within ±1/√fan-in as PyTorch's default, as its biases.
 * The normal 1x1 ones are those without bias.
 */
function convolution(
  device: Device,
  random: Random | undefined,
  channels: Channels,
  kernel: number,
  kind: "normal" | "uniform",
): Convolution {
  const bias = kernel > 1 || kind === "uniform";
  const layer = new Convolution(device, undefined, channels, { kernel, padding: (kernel - 1) / 2, bias });
  if (!random) return layer;
  const inputs = channels.in * kernel ** 2;
  const uniform = () => (2 * random.uniform() - 1) / Math.sqrt(inputs);
  const normal = () => Math.sqrt(2 / inputs) * random.normal();
  layer.weight.write(Float32Array.from({ length: layer.weight.size }, kind === "normal" ? normal : uniform));
  layer.bias?.write(Float32Array.from({ length: channels.out }, uniform));
  return layer;
}

/** A linear layer whose weights start by He's rule, its biases uniform within ±1/√in. */
function linear(device: Device, random: Random | undefined, features: Channels): Linear {
  const layer = new Linear(device, random, features, Math.sqrt(2 / features.in));
  if (random)
    layer.bias.write(
      Float32Array.from({ length: features.out }, () => (2 * random.uniform() - 1) / Math.sqrt(features.in)),
    );
  return layer;
}

export const hyperIqa: BodyKind = {
  make: (making) => new HyperIqaBody(making),
  expected: ({ head }, answerLength) => [answerExpected({ head }, answerLength, "head.fc5b_fc.weight")],
};
