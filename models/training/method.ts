import type { z } from "zod";
import type { NamedTensor } from "../../engine/nn/named.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { MosRange } from "../data/index.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import type { PlannedPhase, PlannedPicture } from "./batches.ts";
import type { TrainingOptions } from "./options.ts";
import type { Progress, TrainingData, TrainingHooks } from "./training.ts";

/** Numbers on the host, row-major. */
export interface HostArray {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: Shape;
}

/** Indices on the host, which are u32 on the device. */
export interface HostIndices {
  readonly data: Uint32Array<ArrayBuffer>;
  readonly shape: Shape;
}

/** What steps read beside the outputs of the network, by name. */
export type Targets = Readonly<Record<string, HostArray | HostIndices>>;

/** Where the pictures of one part, or the ranked pairs, lie in a micro-batch. */
export interface PartRows {
  /** Row of the first view of its first picture. */
  readonly row: number;
  /** Place of its first picture among those of the part in the batch. */
  readonly first: number;
  /** Pictures, or pairs, in the micro-batch. */
  readonly count: number;
  /** Those in the whole batch. */
  readonly size: number;
  /** Rows of each: its views, or the two of a pair. */
  readonly views: number;
}

/**
 * The rows of a micro-batch, of which none is cut between the views of a picture: first pairs, then labelled, unlabelled, and further
 * unlabelled pictures.
 */
export type BatchRows = Readonly<Record<PlannedPicture["part"], PartRows>>;

/** A micro-batch's share of the batch's loss, [1], and of further numbers that add up as it does, [1] each, such as the share of pictures taken. */
export interface StepLoss {
  readonly loss: Tensor;
  readonly figures?: Readonly<Record<string, Tensor>>;
}

/** Where a step stands in its phase. */
export interface StepPlace {
  /** Steps of the phase before it. */
  readonly step: number;
  /** Steps of the phase. */
  readonly steps: number;
  /** Epochs of the phase before its own. */
  readonly epoch: number;
}

/** What the steps of a phase learn. */
export interface StepTask {
  /**
   * What the loss of a batch reads beside the network's outputs, by name. Batches of one make-up have the same shapes. What depends on the
   * place of a step goes in here, for the loss is recorded once for many steps.
   */
  targets(views: readonly PlannedPicture[], place: StepPlace): Targets;
  /**
   * Recorded on the tape, and replayed: what is derived from the outputs here is derived anew in each step.
   * @param targets what {@link targets} gave, on the device
   * @param input what the outputs were made of, a row a view; `inputs.forward` takes it, as a whole or in part
   */
  loss(outputs: Outputs, targets: Readonly<Record<string, Tensor>>, rows: BatchRows, input: Tensor): StepLoss;
  /**
   * Whether {@link loss} looks at its input. Over several ranks every one then needs all pictures of a batch, and what the loss takes through a
   * network is computed by each of them. @default false
   */
  readonly readsInput?: boolean;
  /** Names of the figures that {@link loss} may give; one that it leaves out counts 0. */
  readonly figures?: readonly string[];
  /** What learns beside the network and ends with the phase, such as a projection; a checkpoint holds it. Rates are those of fresh layers. */
  modules?(): readonly NamedTensor[];
  /** Device state that steps change, such as a teacher or running means; a checkpoint holds it. */
  tensors?(): readonly NamedTensor[];
  /** Recorded after the parameters of a step were updated: how the device state moves on. */
  afterUpdate?(): void;
}

/** What a method does in one phase of one training, with its state, which ends with the phase. */
export interface PhaseRun extends StepTask {
  /** Does all that the phase is for at once, in the place of its steps. */
  solve?(): Promise<void>;
  /** @returns whether it did what is worth a checkpoint */
  beforeEpoch?(epoch: number): Promise<boolean>;
  /** Asked before the targets of a step. */
  beforeStep?(place: StepPlace): Promise<void>;
  afterEpoch?(): void;
  /** Called after its last step, when averaged weights are the model's own: what it makes of the model is what the phase leaves. */
  end?(): Promise<void>;
  /** State on the host that a checkpoint holds, by name. */
  arrays?(): Readonly<Record<string, HostArray>>;
  /** Takes the state of a checkpoint. @param read what {@link arrays} gave under a name; undefined when it gave nothing */
  restore?(read: (name: string) => Promise<Float32Array<ArrayBuffer> | undefined>): Promise<void>;
  dispose?(): void;
}

/** What a phase may use of its training. */
export interface PhaseContext {
  readonly model: QualityNetwork;
  readonly inputs: Inputs;
  readonly data: TrainingData;
  /** Ends of the score scale. */
  readonly range: MosRange;
  /** [labelled, length], row-major: the labels of the labelled pictures, as the network's head learns them. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** The record of the run, which grows. */
  readonly progress: Progress;
  readonly hooks: Pick<TrainingHooks, "log" | "progress">;
  /** Starts timing; the returned function puts the seconds since its last call on record and returns them. */
  readonly clock: (name: string) => () => number;
}

/** Options of the steps that a phase may have otherwise than the method's. */
export type StepSettings = Pick<
  TrainingOptions,
  "optimiser" | "schedule" | "stepEpochs" | "stepFactor" | "timeDecay" | "rate" | "freshRate" | "decay"
>;

/** Passes over the data that learn one thing, and leave a model. */
export interface Phase extends Omit<PlannedPhase, "stage"> {
  /** Words that can stand before "training", for logs and the record; a method of one phase calls it by its own title. */
  readonly name: string;
  readonly epochs: number;
  /** Name of the option that says how many epochs it has; of 0 epochs it is left out. Absent where none says so. */
  readonly epochsOption?: string;
  /** Names of the options that say how large a batch is, in the order of `batch`. */
  readonly batchOptions: readonly string[];
  /** Names of further options that are read by this phase and no other but those that name them too. One that no phase names is read by all. */
  readonly options?: readonly string[];
  /** Whether it takes all pictures through the network before each epoch, which its length is told by. */
  readonly surveys?: boolean;
  /** What its steps do otherwise than the options say. */
  readonly settings?: Partial<StepSettings>;
  /** Whether the head learns alone, and the backbone stays as it is, as in evaluation. */
  readonly headAlone?: boolean;
  /** Whether batch norms of the backbone go by the batch while the head learns alone, so that their running statistics move on. */
  readonly drifting?: boolean;
  /**
   * How a parameter's rate goes from epoch to epoch (0 the first), in place of `rate` and `freshRate` and beside the schedule. Parameters that
   * learn alike are given the same function.
   */
  readonly rates?: (name: string) => (epoch: number) => number;
  /** Whether every epoch begins with a fresh optimiser. */
  readonly renewsOptimiser?: boolean;
  /** Whether its loss needs all pictures of a batch at once, so that batches cannot be cut by `microBatch`. */
  readonly wholeBatches?: boolean;
  /** Name of the model that it leaves in the run's folder. */
  readonly file: string;
  begin(context: PhaseContext): PhaseRun;
}

/** A way to learn quality. The training loop knows it by this alone. */
export interface Method<Options extends TrainingOptions = TrainingOptions, Input = never> {
  /** Word on the command line: `acutance train <name>`. */
  readonly name: string;
  /** In records, models and logs. */
  readonly title: string;
  /** One line of help. */
  readonly description: string;
  /** What may stand behind `acutance train <name>`, for its help. */
  readonly examples?: readonly string[];
  /** Its options, those that every method has among them; the command line has a flag for each. */
  readonly schema: z.ZodObject;
  /** Fills in defaults and checks. @throws OptionError */
  options(input: Input): Options;
  /** In their order; those of 0 epochs are left out when it trains. */
  phases(options: Options): readonly Phase[];
  /** Whether it learns from unlabelled pictures alone. @default false */
  readonly withoutLabels?: boolean;
  /** @throws TrainingError when the data does not suffice */
  expectData?(data: TrainingData, options: Options): void;
}
