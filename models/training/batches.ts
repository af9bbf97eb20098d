import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Row } from "../data/index.ts";
import type { Inputs } from "../views/inputs.ts";
import { viewWindows } from "../views/windows.ts";
import type { TrainingOptions } from "./options.ts";
import type { TrainingData } from "./training.ts";

/** One picture of a training batch before it is loaded. */
export interface PlannedPicture {
  readonly path: string;
  readonly name: string;
  /** Place in the labelled list, or in the unlabelled one; of a ranked picture that of its pair in the batch. */
  readonly index: number;
  readonly part: "labelled" | "unlabelled" | "ranked";
  /** Of a ranked picture. */
  readonly level?: number;
  /** Where it is cropped, in the terms of the run's inputs, and whether it is mirrored. */
  readonly window: { readonly top: number; readonly left: number; readonly flip: boolean };
  /** Seed of the tokens that are drawn, with `tokenShare` below 1. */
  readonly tokens?: number;
}

/** What batches are planned from. */
type Parts = Pick<TrainingData, "ranked"> & { readonly labelled: readonly Row[]; readonly unlabelled: readonly Row[] };

/** What the batches of a phase depend on beside data and options. */
export interface PlannedPhase {
  /** Its place among the phases, the first being 1. */
  readonly stage: number;
  /** Pictures in a batch, those of ranked pairs not counted. */
  readonly batch: { readonly labelled: number; readonly unlabelled: number };
  /**
   * With unlabelled pictures, how long an epoch is: one pass over the unlabelled pictures, over the labelled ones, or as many batches
   * as both need. @default "unlabelled"
   */
  readonly length?: "unlabelled" | "labelled" | "all";
}

/**
 * The batches of one epoch; the same seed, stage and epoch give the same batches. In each come first the pairs of ranked
 * copies, the better one of a pair before the worse, then the labelled pictures, then the others.
 */
export function planEpoch(
  phase: PlannedPhase,
  epoch: number,
  parts: Parts,
  options: TrainingOptions,
): PlannedPicture[][] {
  const random = new Random(options.seed, `stage ${phase.stage}, epoch ${epoch}`);
  const pairs = rankedPairs(parts, options, random.fork("ranked"));
  return scoredBatches(phase, random, parts, options).map((batch) => [...pairs(), ...batch]);
}

/**
 * Gives pairs for one batch after another: two pictures of a set, both drawn evenly. They are seen as in a test, for a crop or a
 * mirror image says nothing of their order.
 */
function rankedPairs({ ranked = [] }: Parts, options: TrainingOptions, random: Random): () => PlannedPicture[] {
  const pairs = pairsInBatch(ranked, options);
  if (pairs === 0) return () => [];
  const window = viewWindows(options)[0]!;
  const draw = (index: number): PlannedPicture[] => {
    const { pictures } = ranked[random.integer(ranked.length)]!;
    const pair = random.shuffle(pictures).slice(0, 2);
    const seen = { window, ...(options.tokenShare < 1 && { tokens: random.integer(2 ** 32) }) };
    return pair
      .sort((a, b) => a.level - b.level)
      .map(({ path, name, level }) => ({ path, name, index, part: "ranked", level, ...seen }));
  };
  return () => Array.from({ length: pairs }, (_, index) => draw(index)).flat();
}

/** Ranked pairs in a batch. */
export function pairsInBatch(ranked: TrainingData["ranked"] = [], { rankPairs, rankWeight }: TrainingOptions): number {
  return ranked.length > 0 && rankWeight > 0 ? rankPairs : 0;
}

/** The batches of an epoch without ranked copies. */
function scoredBatches(
  { batch, length = "unlabelled" }: PlannedPhase,
  random: Random,
  parts: Parts,
  options: TrainingOptions,
): PlannedPicture[][] {
  const windows = random.fork("windows");
  const tokens = random.fork("tokens");
  const most = options.resize - options.crop + 1;
  const views = options.frozen > 0 ? viewWindows(options) : undefined;
  const along = () => (options.cropFrom === "resized" ? windows.integer(most) : windows.uniform());
  const draw = () =>
    views?.[windows.integer(views.length)] ?? {
      top: along(),
      left: along(),
      flip: windows.integer(2) === 1 && options.flip,
    };
  const plan = (row: Row, index: number, part: PlannedPicture["part"]): PlannedPicture => ({
    path: row.path,
    name: row.name,
    index,
    part,
    window: draw(),
    ...(options.tokenShare < 1 && { tokens: tokens.integer(2 ** 32) }),
  });
  const { trainCrops } = options;
  const labelled = cycle(parts.labelled, random.fork("labelled"));
  const { labelled: labelledBatch, unlabelled: unlabelledBatch } = batch;
  if (unlabelledBatch === 0) {
    const batches: PlannedPicture[][] = [];
    for (let left = parts.labelled.length * trainCrops; left > 0; left -= labelledBatch) {
      batches.push(labelled.take(Math.min(left, labelledBatch)).map(({ row, index }) => plan(row, index, "labelled")));
    }
    // Statistics of few pictures would lead batch norm astray: a rest of less than half a batch waits for another epoch's order.
    const whole = batches.filter((batch) => 2 * batch.length >= labelledBatch);
    return whole.length > 0 ? whole : batches.filter((batch) => batch.length > 1);
  }
  const unlabelled = cycle(parts.unlabelled, random.fork("unlabelled"));
  const crops = { labelled: parts.labelled.length * trainCrops, unlabelled: parts.unlabelled.length * trainCrops };
  const passes = {
    labelled: Math.ceil(crops.labelled / labelledBatch),
    unlabelled: Math.ceil(crops.unlabelled / unlabelledBatch),
  };
  const steps = length === "all" ? Math.max(passes.labelled, passes.unlabelled) : passes[length];
  return Array.from({ length: steps }, (_, step) => {
    const left = crops.unlabelled - step * unlabelledBatch;
    const count = length === "unlabelled" ? Math.min(left, unlabelledBatch) : unlabelledBatch;
    return [
      ...labelled.take(labelledBatch).map(({ row, index }) => plan(row, index, "labelled")),
      ...unlabelled.take(count).map(({ row, index }) => plan(row, index, "unlabelled")),
    ];
  });
}

/** Endless shuffled passes over rows. */
function cycle(rows: readonly Row[], random: Random) {
  let pass: number[] = [];
  return {
    take(count: number): { row: Row; index: number }[] {
      return Array.from({ length: count }, () => {
        if (pass.length === 0) pass = random.shuffle(rows.keys()).reverse();
        const index = pass.pop()!;
        return { row: rows[index]!, index };
      });
    },
  };
}

/** A batch whose pictures are on the device. */
export interface LoadedBatch {
  readonly pictures: readonly { readonly planned: PlannedPicture; readonly tensor: Tensor }[];
  readonly errors: readonly { readonly planned: PlannedPicture; readonly error: unknown }[];
}

/** Loads planned batches in order, decoding ahead of their use. What is left of a ranked pair is left out. */
export async function* loadBatches(
  batches: readonly PlannedPicture[][],
  inputs: Inputs,
): AsyncGenerator<LoadedBatch, void, undefined> {
  const sizes = batches.map((batch) => batch.length).values();
  let size = sizes.next().value;
  let pictures: LoadedBatch["pictures"][number][] = [];
  let errors: LoadedBatch["errors"][number][] = [];
  for await (const loaded of inputs.load(batches.flat(), { ahead: 64, concurrency: 3 })) {
    if ("error" in loaded) errors.push({ planned: loaded.row, error: loaded.error });
    else pictures.push({ planned: loaded.row, tensor: loaded.tensor });
    if (pictures.length + errors.length < size!) continue;
    yield { pictures: wholePairs(pictures), errors };
    pictures = [];
    errors = [];
    size = sizes.next().value;
  }
}

/** The pictures without those whose partner in a ranked pair could not be loaded. */
function wholePairs(pictures: LoadedBatch["pictures"]): LoadedBatch["pictures"] {
  const loaded = new Map<number, number>();
  const ranked = pictures.filter(({ planned }) => planned.part === "ranked");
  for (const { planned } of ranked) loaded.set(planned.index, (loaded.get(planned.index) ?? 0) + 1);
  return pictures.filter(({ planned }) => planned.part !== "ranked" || loaded.get(planned.index) === 2);
}
