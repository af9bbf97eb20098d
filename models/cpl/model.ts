import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { type Layer, loadTensors, type NamedTensor, nameTensors, storable } from "../../engine/nn/named.ts";
import { cast, relu } from "../../engine/ops/elementwise.ts";
import { normalise } from "../../engine/ops/image.ts";
import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  openSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  writeSafetensors,
} from "../../engine/weights/safetensors.ts";
import { type InitReport, ResNet } from "../backbones/resnet.ts";
import type { MosRange } from "../data/index.ts";
import { type CplOptions, cplOptions } from "./options.ts";

/** Mean and deviation of ImageNet's channels, which the backbones' weights expect. */
const imagenet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/** What a weights file says about its model, beside the tensors. */
export interface ModelCard {
  /** How it was trained. */
  readonly options: CplOptions;
  /** Ends of the score scale: the lowest quality first. */
  readonly range: MosRange;
  /** Sentences on how it came about: start weights, data, split, stages done. */
  readonly history: readonly string[];
  /** Parameters that did not start from given weights; they learn at `freshRate`. */
  readonly fresh: readonly string[];
}

const format = "acutance-cpl";

/** Backbone → 256-d feature → m logits: the network of CPL-IQA (head: [U] in detail; ReLU after the feature). */
export class CplModel implements Layer {
  readonly device: Device;
  readonly backbone: ResNet;
  readonly options: CplOptions;
  readonly #embed: Linear;
  readonly #classify: Linear;

  /** A fresh model, drawn from the options' seed. */
  constructor(device: Device, options: CplOptions) {
    const random = new Random(options.seed, "weights");
    this.device = device;
    this.options = options;
    this.backbone = new ResNet(device, random, options.backbone === "resnet34" ? 34 : 18, options.stages);
    this.#embed = new Linear(device, random.fork("embedding"), { in: this.backbone.features, out: options.embedding });
    this.#classify = new Linear(device, random.fork("logits"), { in: options.embedding, out: options.levels });
    nameTensors(this.tensors());
  }

  /**
   * Pictures [N, H, W, 3] in [0, 1], sRGB → feature [N, 256] that the graph is built on, and logits [N, m] over the
   * score set. With the option `precision` f16 the maps of the backbone are f16 in training; the head is always f32.
   */
  forward(pictures: Tensor, training: boolean): { embedding: Tensor; logits: Tensor } {
    const input = normalise(pictures, imagenet.mean, imagenet.deviation);
    const pooled = this.backbone.forward(cast(input, training ? this.options.precision : "f32"), training);
    const embedding = relu(this.#embed.forward(cast(pooled, "f32")));
    return { embedding, logits: this.#classify.forward(embedding) };
  }

  /** Starts the backbone from a weights file with torchvision's names; the head stays fresh. */
  async start(path: string): Promise<InitReport> {
    await using file = await openSafetensors(path);
    return await this.backbone.start(file);
  }

  tensors(prefix = ""): NamedTensor[] {
    const head = prefix ? `${prefix}.head` : "head";
    return [
      ...this.backbone.tensors(prefix),
      ...this.#embed.tensors(`${head}.embedding`),
      ...this.#classify.tensors(`${head}.logits`),
    ];
  }

  dispose(): void {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }

  /** Names of the batch norms that do not learn; part of the card. */
  get frozenNorms(): string[] {
    return this.backbone.norms().flatMap(([name, norm]) => (norm.frozen ? [name] : []));
  }

  freezeNorms(names: readonly string[]): void {
    for (const [name, norm] of this.backbone.norms()) if (names.includes(name)) norm.freeze();
  }
}

/** The card as the text entries of a safetensors header. */
export function cardMetadata(model: CplModel, card: ModelCard): Record<string, string> {
  return {
    format,
    method: "CPL-IQA",
    options: JSON.stringify(card.options),
    score_range: JSON.stringify(card.range),
    score_direction: "higher is better",
    input: `${card.options.crop}x${card.options.crop} of ${card.options.resize}x${card.options.resize}, RGB`,
    history: JSON.stringify(card.history),
    fresh: JSON.stringify(card.fresh),
    frozen_norms: JSON.stringify(model.frozenNorms),
  };
}

/** @throws SafetensorsError when the file was not written by {@link saveModel} */
export function readCard(file: SafetensorsFile): ModelCard & { frozenNorms: string[] } {
  const text = (key: string) => {
    const value = file.metadata.get(key);
    if (value === undefined)
      throw new SafetensorsError(
        `${file.path}: its header has no "${key}"; a model trained by \`acutance train cpl\` is needed`,
      );
    return value;
  };
  if (text("format") !== format)
    throw new SafetensorsError(`${file.path}: format "${text("format")}", expected "${format}"`);
  try {
    const range = JSON.parse(text("score_range"));
    if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isFinite)) throw new Error("score_range");
    return {
      options: cplOptions(JSON.parse(text("options"))),
      range: range as unknown as MosRange,
      history: JSON.parse(text("history")),
      fresh: JSON.parse(text("fresh")),
      frozenNorms: JSON.parse(text("frozen_norms")),
    };
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    throw new SafetensorsError(`${file.path}: its header cannot be read: ${(cause as Error).message}`);
  }
}

/** Writes the model and its card; the file is whole or not there. */
export async function saveModel(path: string, model: CplModel, card: ModelCard): Promise<void> {
  await writeSafetensors(path, await storable(model.tensors()), cardMetadata(model, card));
}

/**
 * Opens a model that {@link saveModel} wrote.
 * @throws SafetensorsError when it is another kind of file, damaged, or a tensor's shape does not fit
 */
export async function openModel(device: Device, path: string): Promise<{ model: CplModel; card: ModelCard }> {
  await using file = await openSafetensors(path);
  const { frozenNorms, ...card } = readCard(file);
  const model = new CplModel(device, card.options);
  await loadTensors(file, model.tensors());
  nameTensors(model.tensors());
  model.freezeNorms(frozenNorms);
  return { model, card };
}
