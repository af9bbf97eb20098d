import type { Device } from "../../engine/device/device.ts";
import type { BatchNorm } from "../../engine/nn/layers.ts";
import type { Layer } from "../../engine/nn/named.ts";
import type { Random } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import type { Backbone, InitReport } from "../backbones/index.ts";
import type { MosRange } from "../data/index.ts";
import type { ModelOptions } from "./options.ts";

/** What the network makes of a batch. */
export interface Outputs {
  /** Pooled feature of the backbone, before its normalisation. */
  readonly feature: Tensor;
  /** Feature [N, 256] that the graph is built on. */
  readonly embedding: Tensor;
  /**
   * What the last layer gives, by the option `head`: logits [N, m] over the score set, logits [N, C] of classes, or scores
   * [N, 1] as shares of the scale. The network's {@link Head} says what becomes of it.
   */
  readonly logits: Tensor;
}

/** How a batch is taken through a network. */
export interface Pass {
  /** Whether batch norms take the batch's statistics, and dropout draws. */
  readonly training: boolean;
  /** Whether the backbone stays as it is: in evaluation mode, without gradients, whatever `training` says. */
  readonly fixedBackbone: boolean;
  /** Whether batch norms of a fixed backbone take the batch's statistics all the same, so that the running ones move on. */
  readonly drifting: boolean;
  /** Of the backbone's maps; what the head is made of is always f32. */
  readonly precision: "f32" | "f16";
}

/**
 * The layers of a quality network, between normalised pictures and what its head is made from. Tensors whose name begins with "head."
 * belong to no backbone: they start fresh, and a phase may have them learn alone.
 */
export interface Body extends Layer {
  readonly backbone: Backbone;
  /** Length of the pooled feature. */
  readonly featureLength: number;
  /** Length of the feature that the graph is built on. */
  readonly embeddingLength: number;
  /** Lengths of the features of its branches, one behind the other, where each has a score of its own. */
  readonly featureParts?: readonly number[];
  /** What the pooled feature is normalised by, where it is. */
  readonly norm?: BatchNorm | undefined;
  /** Pictures [N, H, W, 3], normalised as the backbone wants them → outputs. */
  forward(x: Tensor, pass: Pass): Outputs;
  /** Normalised pictures [N, H, W, 3] → what the frozen sections make of them in evaluation mode, a row each: [N, L]. */
  prefix(x: Tensor): Tensor;
  /** Shape of the map of one picture of such a size after the frozen sections, where others follow. */
  prefixMap(x: Tensor): Shape | undefined;
  /** {@link forward} from the rows that {@link prefix} gave. @param mapShape what {@link prefixMap} gave */
  forwardRows(rows: Tensor, mapShape: Shape | undefined, pass: Pass): Outputs;
  /**
   * Further branches beside the backbone, under what goes before the names of their tensors. They learn as the backbone does; where some
   * of its sections are frozen, so are they as a whole.
   */
  readonly branches?: readonly (readonly [prefix: string, branch: Backbone])[];
  /**
   * Starts what the files have; see {@link InitReport}. Without it the backbone alone starts, from one file.
   * @param range ends of the score scale, for a last layer that gives scores
   * @throws WeightsError as {@link Backbone.start}
   */
  start?(files: readonly WeightsFile[], range: MosRange): Promise<InitReport>;
}

/** What a body is made with. */
export interface BodyMaking {
  readonly device: Device;
  /** What the options name; a body may make more of it, and say so as its own `backbone`. */
  readonly backbone: Backbone;
  readonly options: ModelOptions;
  /** Where weights are drawn from; without it they are 0, to be loaded. */
  readonly random: Random | undefined;
  /** Numbers that the last layer gives. */
  readonly answerLength: number;
  /** What the biases of the last layer start at; absent where they are drawn. */
  readonly answerStart: number | undefined;
  /** Rows [N, L] with entries at 0 by the option `dropout`: in training, others in each step. */
  readonly dropped: (rows: Tensor, training: boolean) => Tensor;
}

/** A word of the option `network`. */
export interface BodyKind {
  readonly make: (making: BodyMaking) => Body;
  /** What the options say of first extents of tensors in a file, which are compared with it before memory is taken. */
  readonly expected: (
    options: ModelOptions,
    answerLength: number,
  ) => readonly (readonly [option: string, length: number, tensor: string])[];
}
