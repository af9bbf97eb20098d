import { openSafetensors, type SafetensorsFile, toFloat32 } from "../../engine/weights/safetensors.ts";
import { classCentres, scoreSet, shareOf } from "../labels/labels.ts";
import { readCard } from "../networks/card.ts";
import type { ModelOptions } from "../networks/options.ts";
import { AdaptError } from "./adapt-error.ts";

/** What the last layer of a network makes of a picture. */
export interface Seen {
  /** What the last layer reads, [L]. */
  readonly embedding: Float64Array;
  /** What it gives, [m]. */
  readonly logits: Float64Array;
}

/** A score as a share of the scale, and how it rises with the tilt. */
export interface Tilted {
  readonly share: number;
  /** d share / d tilt: the variance of the tilted distribution, at least a little. */
  readonly slope: number;
}

/**
 * The last layers of a model on the CPU. A picture's score is shifted by a tilt t, linear in the embedding h: logits l_k + t(h) · s_k, where
 * s_k is the share of the scale that entry k stands for, t(h) = u · h + c. So the tilted model is one of the same kind: its last layer has
 * the weights W_k + s_k u and biases b_k + s_k c. Of a head that gives the score itself, t is added to it.
 */
export class AdaptableHead {
  readonly options: ModelOptions;
  /** Shares that the entries of the last layer stand for; none for a head that gives the score itself. */
  readonly members: Float64Array | undefined;
  /** Length of an embedding. */
  readonly length: number;
  readonly #tensors: ReadonlyMap<string, Float32Array>;

  constructor(options: ModelOptions, tensors: ReadonlyMap<string, Float32Array>) {
    this.options = options;
    this.#tensors = tensors;
    const outputs = tensors.get("head.logits.bias")!.length;
    this.length = tensors.get("head.logits.weight")!.length / outputs;
    this.members = membersOf(options, outputs);
  }

  /** @throws AdaptError for networks and heads of another kind; SafetensorsError */
  static async open(path: string): Promise<AdaptableHead> {
    await using file = await openSafetensors(path);
    const { options } = readCard(file);
    if (options.network !== "standard")
      throw new AdaptError(`the model's network is ${options.network}; only standard ones can be adapted`);
    if (options.head === "ensemble")
      throw new AdaptError(
        "the model's head is an ensemble, whose score is the mean of several heads that answer in their own ways; heads distribution, classes and score can be adapted: adapt the model that the ensemble was made of, or the one that comes along",
      );
    const tensors = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) {
      if (name.startsWith("head.")) tensors.set(name, await read(file, name));
    }
    return new AdaptableHead(options, tensors);
  }

  /** Whether the score of the mean of features is the mean of their scores. */
  get isLinear(): boolean {
    return this.members === undefined && !this.#tensors.has("head.embedding.weight");
  }

  /** What the last layer reads and gives of a pooled feature. */
  see(feature: ArrayLike<number>): Seen {
    const normal = this.#normalised(feature);
    const embed = this.#tensors.get("head.embedding.weight");
    const embedding = embed
      ? product(embed, this.#tensors.get("head.embedding.bias")!, normal).map((value) => Math.max(0, value))
      : normal;
    const [weight, bias] = ["weight", "bias"].map((part) => this.#tensors.get(`head.logits.${part}`)!);
    return { embedding, logits: product(weight!, bias!, embedding) };
  }

  #normalised(feature: ArrayLike<number>): Float64Array {
    const values = Float64Array.from(feature);
    const [mean, variance, weight, bias] = ["running_mean", "running_var", "weight", "bias"].map((part) =>
      this.#tensors.get(`head.norm.${part}`),
    );
    if (!mean || !variance) return values;
    return values.map(
      (value, i) => ((value - mean[i]!) / Math.sqrt(variance[i]! + 1e-5)) * (weight?.[i] ?? 1) + (bias?.[i] ?? 0),
    );
  }

  /** The score with a tilt. */
  tilted({ logits }: Seen, tilt: number): Tilted {
    const { members } = this;
    if (!members) return { share: logits[0]! + tilt, slope: 1 };
    const tiltedLogits = logits.map((logit, k) => logit + tilt * members[k]!);
    const highest = tiltedLogits.reduce((a, b) => Math.max(a, b));
    let [total, first, second] = [0, 0, 0];
    tiltedLogits.forEach((logit, k) => {
      const weight = Math.exp(logit - highest);
      total += weight;
      first += weight * members[k]!;
      second += weight * members[k]! ** 2;
    });
    const share = first / total;
    // A distribution on one entry would never be moved.
    return { share, slope: Math.max(second / total - share ** 2, 1e-4) };
  }

  /** How a score rises with the embedding, to first order, about one: [L]. */
  gradientAt(embedding: Float64Array): Float64Array {
    const [weight, bias] = ["weight", "bias"].map((part) => this.#tensors.get(`head.logits.${part}`)!);
    const logits = product(weight!, bias!, embedding);
    const { members, length } = this;
    if (!members) return Float64Array.from(weight!);
    const highest = logits.reduce((a, b) => Math.max(a, b));
    const shares = logits.map((logit) => Math.exp(logit - highest));
    const total = shares.reduce((a, b) => a + b);
    const mean = shares.reduce((sum, share, k) => sum + share * members[k]!, 0) / total;
    const gradient = new Float64Array(length);
    shares.forEach((share, k) => {
      const factor = (share / total) * (members[k]! - mean);
      for (let i = 0; i < length; i++) gradient[i]! += factor * weight![k * length + i]!;
    });
    return gradient;
  }

  /** The last layer with a tilt built in. @param direction u, [L] @param constant c */
  lastLayer(direction: Float64Array, constant: number): { weight: Float32Array; bias: Float32Array } {
    const { length } = this;
    const shares = this.members ?? [1];
    const weight = this.#tensors.get("head.logits.weight")!.map((value, i) => {
      return value + shares[Math.floor(i / length)]! * direction[i % length]!;
    });
    const bias = this.#tensors.get("head.logits.bias")!.map((value, k) => value + shares[k]! * constant);
    return { weight, bias };
  }
}

function membersOf({ head, classEdges }: ModelOptions, outputs: number): Float64Array | undefined {
  if (head === "score") return undefined;
  return (head === "classes" ? classCentres(outputs, classEdges) : scoreSet(outputs)).map(shareOf);
}

async function read(file: SafetensorsFile, name: string): Promise<Float32Array> {
  return toFloat32(await file.read(name));
}

/** W x + b. W: [rows, x.length], row-major. */
function product(weight: Float32Array, bias: Float32Array, x: Float64Array): Float64Array {
  return Float64Array.from(bias, (start, row) => {
    let sum = start;
    const from = row * x.length;
    for (let i = 0; i < x.length; i++) sum += weight[from + i]! * x[i]!;
    return sum;
  });
}
