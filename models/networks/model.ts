import type { Device } from "../../engine/device/device.ts";
import type { BatchNorm } from "../../engine/nn/layers.ts";
import { join, type Layer, loadTensors, type NamedTensor, nameTensors, storable } from "../../engine/nn/named.ts";
import { type BatchPart, dropout, type StochasticDepthOptions } from "../../engine/ops/dropout.ts";
import { normalise } from "../../engine/ops/pictures/image.ts";
import { Random } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { checkDigest, withDigest } from "../../engine/weights/digest.ts";
import { numberToHalf } from "../../engine/weights/half.ts";
import { openWeights } from "../../engine/weights/open.ts";
import {
  openSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  type TensorToStore,
  writeSafetensors,
} from "../../engine/weights/safetensors.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";
import { type Backbone, createBackbone, type InitReport } from "../backbones/index.ts";
import type { MosRange } from "../data/index.ts";
import { bodies } from "./bodies.ts";
import type { Body, Outputs, Pass } from "./body.ts";
import { cardMetadata, type ModelCard, readCard } from "./card.ts";
import { type Companions, readCompanions, storedCompanions } from "./companions.ts";
import { type Head, headOf } from "./heads.ts";
import type { ModelOptions } from "./options.ts";

export type { Outputs } from "./body.ts";
export type { ModelCard } from "./card.ts";

/** Pictures → {@link Outputs}, by the {@link Body} that the option `network` names; its {@link Head} says what becomes of them. */
export class QualityNetwork implements Layer {
  readonly device: Device;
  readonly backbone: Backbone;
  readonly options: ModelOptions;
  readonly head: Head;
  /** Number of the training step that is recorded or replayed: what dropout draws by. */
  step = 0;
  /** Where the rows that it is given in training lie in their batch; without it they are the whole. Each draws for itself. */
  part: BatchPart | undefined;
  /** Whether the head learns alone: the backbone is as in evaluation. */
  fixedBackbone = false;
  /** Whether the batch norms of such a backbone go by the batch in training all the same. */
  drifting = false;
  readonly #body: Body;

  /** A model drawn from the options' seed, or with weights of 0, to be loaded. */
  constructor(device: Device, options: ModelOptions, weights: "drawn" | "zero" = "drawn") {
    const random = weights === "drawn" ? new Random(options.seed, "weights") : undefined;
    this.device = device;
    this.options = options;
    this.head = headOf(options);
    const backbone = createBackbone(options.backbone, device, random, {
      ...(options.stages < 4 && { stages: options.stages }),
      ...(options.stochasticDepth > 0 && {
        drop: { rate: options.stochasticDepth, words: (branch: string) => this.#branchWords(branch) },
      }),
    });
    this.#body = bodies[options.network].make({
      ...{ device, backbone, options, random },
      ...{ answerLength: this.answerLength, answerStart: this.head.start },
      dropped: (rows, training) => this.#dropped(rows, training),
    });
    this.backbone = this.#body.backbone;
    nameTensors(this.tensors());
  }

  /**
   * Pictures [N, H, W, 3] in [0, 1], sRGB → feature [N, 256] that the graph is built on, and what the head is made from.
   * With the option `precision` f16 the maps of the backbone are f16 in training; the head is always f32.
   */
  forward(pictures: Tensor, training: boolean): Outputs {
    return this.#body.forward(this.#normalised(pictures), this.#pass(training));
  }

  /** Pictures [N, H, W, 3] → what the frozen sections make of them in evaluation mode, a row each: [N, L]. */
  prefix(pictures: Tensor): Tensor {
    return this.#body.prefix(this.#normalised(pictures));
  }

  /** Shape of the map of one picture of such a size after the frozen sections, where others follow. */
  prefixMap(pictures: Tensor): Shape | undefined {
    return this.#body.prefixMap(this.#normalised(pictures));
  }

  /** {@link forward} from the rows that {@link prefix} gave, `mapShape` being what {@link prefixMap} gave. */
  forwardRows(rows: Tensor, mapShape: Shape | undefined, training: boolean): Outputs {
    return this.#body.forwardRows(rows, mapShape, this.#pass(training));
  }

  #pass(training: boolean): Pass {
    const { fixedBackbone, drifting } = this;
    return { training, fixedBackbone, drifting, precision: training ? this.options.precision : "f32" };
  }

  #normalised(pictures: Tensor): Tensor {
    const { mean, deviation } = this.backbone.normalisation;
    return normalise(pictures, mean, deviation);
  }

  /** With entries at 0 by the option `dropout`: in training, others in each step. */
  #dropped(features: Tensor, training: boolean): Tensor {
    const { dropout: rate, seed } = this.options;
    if (rate === 0 || !training) return features;
    const [rows, length] = features.shape as [number, number];
    const { first, of } = this.part ?? { first: 0, of: rows };
    const blocks = Math.ceil(length / 4);
    return dropout(features, rate, {
      seed,
      stream: "head dropout",
      offset: () => (this.step * of + first) * blocks,
    });
  }

  /** What a branch of the backbone is left out by, others in each step. */
  #branchWords(branch: string): StochasticDepthOptions {
    const { part } = this;
    return {
      seed: this.options.seed,
      stream: `stochastic depth, ${branch}`,
      ...(part && { part }),
      // More than a batch can have, so that batches of another size have words of their own, too.
      offset: () => this.step * 2 ** 20,
    };
  }

  /** Whether `featureNorm` is `fixed` and nobody has said yet by what: it starts with mean 0 and variance 1. */
  async needsStatistics(): Promise<boolean> {
    if (this.options.featureNorm !== "fixed") return false;
    const [mean, variance] = await Promise.all([this.#norm.runningMean.read(), this.#norm.runningVariance.read()]);
    return mean.every((value) => value === 0) && variance.every((value) => value === 1);
  }

  /** Numbers that come of a view. */
  get answerLength(): number {
    return this.head.length(this.options.levels);
  }

  /** Lengths of the features of branches that have scores of their own; one where there are none. */
  get featureParts(): readonly number[] {
    return this.#body.featureParts ?? [this.featureLength];
  }

  /** Length of the pooled feature. */
  get featureLength(): number {
    return this.#body.featureLength;
  }

  /** Length of the feature that the graph is built on. */
  get embeddingLength(): number {
    return this.#body.embeddingLength;
  }

  /** @throws Error when the network normalises no feature */
  get #norm(): BatchNorm {
    const { norm } = this.#body;
    if (!norm) throw new Error(`a network with \`featureNorm\` ${this.options.featureNorm} keeps no statistics`);
    return norm;
  }

  /** What features are normalised by from now on, with `featureNorm` `fixed`. */
  setStatistics(mean: Float32Array<ArrayBuffer>, variance: Float32Array<ArrayBuffer>): void {
    this.#norm.runningMean.write(mean);
    this.#norm.runningVariance.write(variance);
  }

  /** Names of the tensors that never learn, by the option `frozen`. */
  get frozenNames(): ReadonlySet<string> {
    const { frozen } = this.options;
    const names = this.backbone.tensors("").map(({ name }) => name);
    const beside = frozen > 0 ? this.#branches.flatMap(([prefix, branch]) => branch.tensors(prefix)) : [];
    return new Set([
      ...names.filter((name) => this.backbone.depthOf(name) < frozen),
      ...beside.map(({ name }) => name),
    ]);
  }

  /** Depth of a tensor: the backbone's own, the branch's own up to the backbone's last, and then the head. @throws RangeError when there is no such tensor */
  depthOf(name: string): number {
    const { backbone } = this;
    if (isOfHead(name)) return backbone.layers;
    const within = this.#branches.find(([prefix]) => name.startsWith(`${prefix}.`));
    if (!within) return backbone.depthOf(name);
    const [prefix, branch] = within;
    return Math.min(branch.depthOf(name.slice(prefix.length + 1)), backbone.layers - 1);
  }

  get #branches(): NonNullable<Body["branches"]> {
    return this.#body.branches ?? [];
  }

  /**
   * Starts from weights files, safetensors or PyTorch's: the backbone from one with torchvision's names, what else there is as the network
   * knows it.
   * @param paths several where the network has parts that come from files of their own
   * @param range ends of the score scale, for files whose last layer gives scores
   * @throws WeightsError as {@link openWeights} and the backbone's `start` say, and for more files than the network has parts
   */
  async start(paths: string | readonly string[], range: MosRange = [0, 1]): Promise<InitReport> {
    await using opened = new AsyncDisposableStack();
    const files: WeightsFile[] = [];
    for (const path of [paths].flat()) files.push(opened.use(await openWeights(path)));
    const report = await (this.#body.start?.(files, range) ?? this.backbone.start(onlyOne(files)));
    return { ...report, lines: [...files.flatMap(({ notes }) => notes), ...report.lines] };
  }

  tensors(prefix = ""): NamedTensor[] {
    return this.#body.tensors(prefix);
  }

  dispose(): void {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }

  /** Names of the batch norms that do not learn; part of the card. */
  get frozenNorms(): string[] {
    return this.#norms().flatMap(([name, norm]) => (norm.frozen ? [name] : []));
  }

  freezeNorms(names: readonly string[]): void {
    for (const [name, norm] of this.#norms()) if (names.includes(name)) norm.freeze();
  }

  #norms(): [string, BatchNorm][] {
    const beside = this.#branches.flatMap(([prefix, branch]) =>
      branch.norms().map(([name, norm]): [string, BatchNorm] => [join(prefix, name), norm]),
    );
    return [...this.backbone.norms(), ...beside];
  }
}

function onlyOne(files: readonly WeightsFile[]): WeightsFile {
  const [first, second] = files;
  if (second)
    throw new WeightsError(`${first!.path} and ${second.path}: the backbone starts from one file; leave out the other`);
  return first!;
}

/** Whether a tensor belongs to no backbone. */
export function isOfHead(name: string): boolean {
  return name.startsWith("head.");
}

/** Element types that a model's convolutions and matrices can be stored in; vectors, which are small, stay f32. */
export const precisions = ["f32", "f16"] as const;

export type Precision = (typeof precisions)[number];

/**
 * Writes the model, its card and its companions; the file is whole or not there.
 * @throws RangeError when a weight is beyond the largest f16, 65504
 */
export async function saveModel(
  path: string,
  model: QualityNetwork,
  card: ModelCard,
  precision: Precision = "f32",
  companions: Companions = {},
): Promise<void> {
  const named = model.tensors();
  const tensors = await storable(named);
  const own = precision === "f32" ? tensors : tensors.map((tensor, i) => halved(tensor, named[i]!));
  const beside = storedCompanions(companions);
  const stored = [...own, ...beside.tensors];
  const texts = { ...cardMetadata(model.frozenNorms, card), ...beside.texts };
  await writeSafetensors(path, stored, withDigest(stored, texts));
}

function halved(tensor: TensorToStore, { kind }: NamedTensor): TensorToStore {
  if (kind === "vector") return tensor;
  const data = Uint16Array.from(tensor.data as Float32Array, numberToHalf);
  if (data.some((half) => (half & 0x7c00) === 0x7c00))
    throw new RangeError(`${tensor.name} has weights that f16 cannot hold; keep f32`);
  return { ...tensor, dtype: "F16", data };
}

/**
 * Opens a model that {@link saveModel} wrote.
 * @param optionsFor its card, the options that it is opened with; those of its card unless given
 * @returns with it its companions, which hold for it as it is and not for what is trained from it, and sentences for a log
 * @throws SafetensorsError when it is another kind of file, damaged, its card or a companion has what cannot be, or a tensor's shape does not
 * fit; WeightsError when a number is not finite
 */
export async function openModel(
  device: Device,
  path: string,
  optionsFor: (card: ModelCard) => ModelOptions = ({ options }) => options,
): Promise<{ model: QualityNetwork; card: ModelCard; companions: Companions; notes: readonly string[] }> {
  await using file = await openSafetensors(path);
  const { frozenNorms, ...card } = readCard(file);
  expectHead(file, card.options);
  const isSound = await checkDigest(file);
  const model = new QualityNetwork(device, optionsFor(card), "zero");
  let companions: Companions;
  try {
    await loadTensors(file, model.tensors());
    const { featureLength, answerLength } = model;
    companions = await readCompanions(file, { featureLength, answerLength, range: card.range });
  } catch (error) {
    model.dispose();
    throw error;
  }
  nameTensors(model.tensors());
  model.freezeNorms(frozenNorms);
  return {
    model,
    card,
    companions,
    notes: isSound ? [] : [`${path} carries no digest, so that damage may go unnoticed; acutance export writes one`],
  };
}

/** What the card says of the head is what its tensors are, before memory is taken for it. */
function expectHead(file: SafetensorsFile, options: ModelOptions): void {
  const expect = (option: string, value: number, name: string) => {
    const found = file.tensors.get(name)?.shape[0];
    if (found === undefined) throw new SafetensorsError(`${file.path} has no tensor "${name}"; it is no whole model`);
    if (found === value) return;
    throw new SafetensorsError(`${file.path}: its card says ${option} ${value}, tensor "${name}" has ${found}`);
  };
  const length = headOf(options).length(options.levels);
  for (const expected of bodies[options.network].expected(options, length)) expect(...expected);
}
