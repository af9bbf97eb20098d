import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Row } from "../data/index.ts";
import type { Inputs } from "../views/inputs.ts";
import { oneView, type PartViews, type ViewKind } from "../views/view-kind.ts";
import { viewWindows } from "../views/windows.ts";
import type { StrongOptions, TrainingOptions } from "./options.ts";
import type { TrainingData } from "./training.ts";

/** One view of a picture of a training batch before it is loaded. */
export interface PlannedPicture {
  readonly path: string;
  readonly name: string;
  /** Place in the labelled list, or in that of the unlabelled and further ones; of a ranked picture that of its pair in the batch. */
  readonly index: number;
  readonly part: "labelled" | "unlabelled" | "further" | "ranked";
  /** Of a ranked picture. */
  readonly level?: number;
  /** Of a labelled picture, what it weighs in the loss. @default 1 */
  readonly weight?: number;
  /** Where it is cropped, in the terms of the run's inputs, and whether it is mirrored. */
  readonly window: { readonly top: number; readonly left: number; readonly flip: boolean };
  /** Seed of the tokens that are drawn, with `tokenShare` below 1. */
  readonly tokens?: number;
  /** Of a strong view: its seed or, with frozen sections, its number among those that are kept. Of versions and degraded views: the seed of them all. */
  readonly strong?: number;
  /** Of a version or degraded view: its place among those of its picture. */
  readonly version?: number;
  /** Of a turned view: quarters of a turn, anticlockwise, after the window. */
  readonly quarters?: number;
}

/** What batches are planned from. */
type Parts = Pick<TrainingData, "ranked"> & { readonly labelled: readonly Row[]; readonly unlabelled: readonly Row[] };

/** What the batches of a phase depend on beside data and options. */
export interface PlannedPhase {
  /** Its place among the phases, the first being 1. */
  readonly stage: number;
  /** Pictures in a batch, those of ranked pairs not counted. */
  readonly batch: {
    readonly labelled: number;
    readonly unlabelled: number;
    /** Unlabelled pictures that come in an order of their own. @default 0 */
    readonly further?: number;
  };
  /**
   * With unlabelled pictures, how long an epoch is: one pass over the unlabelled pictures, over the labelled ones, or as many batches
   * as both need. @default "unlabelled"
   */
  readonly length?: "unlabelled" | "labelled" | "all";
  /** @default each picture once, weak */
  readonly views?: PartViews;
}

/**
 * The batches of one epoch; the same seed, stage and epoch give the same batches. In each come first the pairs of ranked
 * copies, the better one of a pair before the worse, then the labelled pictures, the unlabelled, the further ones; views of a picture lie
 * side by side.
 */
export function planEpoch(
  phase: PlannedPhase,
  epoch: number,
  parts: Parts,
  options: TrainingOptions & Partial<StrongOptions>,
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
  { batch, length = "unlabelled", views = oneView }: PlannedPhase,
  random: Random,
  parts: Parts,
  options: TrainingOptions & Partial<StrongOptions>,
): PlannedPicture[][] {
  const view = viewsDrawer(random, options);
  const shown = (part: keyof PartViews) => (taken: { row: Row; index: number }[]) =>
    taken.flatMap(({ row: { path, name, weight }, index }) => {
      const own = part === "labelled" && weight !== undefined ? { weight } : {};
      return view(views[part] ?? []).map((seen) => ({ path, name, index, part, ...own, ...seen }));
    });
  const [labelledViews, unlabelledViews, furtherViews] = [shown("labelled"), shown("unlabelled"), shown("further")];
  const { trainCrops } = options;
  const labelled = cycle(parts.labelled, random.fork("labelled"));
  const { labelled: labelledBatch, unlabelled: unlabelledBatch, further: furtherBatch = 0 } = batch;
  if (unlabelledBatch === 0) {
    const sizes: number[] = [];
    for (let left = parts.labelled.length * trainCrops; left > 0; left -= labelledBatch)
      sizes.push(Math.min(left, labelledBatch));
    const batches = sizes.map((size) => ({ size, views: labelledViews(labelled.take(size)) }));
    // Statistics of few pictures would lead batch norm astray: a rest of less than half a batch waits for another epoch's order.
    const whole = batches.filter(({ size }) => 2 * size >= labelledBatch);
    return (whole.length > 0 ? whole : batches.filter(({ size }) => size > 1)).map((batch) => batch.views);
  }
  const unlabelled = cycle(parts.unlabelled, random.fork("unlabelled"));
  const further = cycle(parts.unlabelled, random.fork("further"));
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
      ...labelledViews(labelled.take(labelledBatch)),
      ...unlabelledViews(unlabelled.take(count)),
      ...furtherViews(further.take(furtherBatch)),
    ];
  });
}

type DrawnView = Pick<PlannedPicture, "window" | "tokens" | "strong" | "quarters" | "version">;

/** Draws the views of one picture after another; with frozen sections among those that are kept. */
function viewsDrawer(
  random: Random,
  options: TrainingOptions & Partial<StrongOptions>,
): (kinds: readonly ViewKind[]) => DrawnView[] {
  const windows = random.fork("windows");
  const tokens = random.fork("tokens");
  const strong = random.fork("strong");
  const most = options.resize - options.crop + 1;
  const kept = options.frozen > 0 ? { windows: viewWindows(options), strong: options.strongViews! } : undefined;
  // Of kept views, the first is kept in all turns.
  const isTurned = (kinds: readonly ViewKind[]) => kinds.includes("turned");
  const along = () => (options.cropFrom === "resized" ? windows.integer(most) : windows.uniform());
  const window = () =>
    kept?.windows[windows.integer(kept.windows.length)] ?? {
      top: along(),
      left: along(),
      flip: windows.integer(2) === 1 && options.flip,
    };
  const drawn = (kind: ViewKind, before: DrawnView | undefined, kinds: readonly ViewKind[]): DrawnView => ({
    // What is turned is the view before.
    window: kind === "turned" ? before!.window : kept && isTurned(kinds) ? kept.windows[0]! : window(),
    ...(options.tokenShare < 1 && { tokens: tokens.integer(2 ** 32) }),
    ...(kind === "strong" && { strong: strong.integer(kept ? kept.strong : 2 ** 32) }),
    ...(kind === "turned" && { quarters: (before!.quarters ?? 0) + 1 }),
  });
  return (kinds) => {
    if (kinds.includes("version") || kinds.includes("degraded")) {
      const shared = { window: window(), strong: strong.integer(2 ** 32) };
      return kinds.map((_, version) => ({ ...shared, version }));
    }
    const views: DrawnView[] = [];
    for (const kind of kinds) views.push(drawn(kind, views.at(-1), kinds));
    return views;
  };
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

/** A picture of a step; without a tensor one that another rank takes through the network. */
export interface StepPicture {
  readonly planned: PlannedPicture;
  readonly tensor: Tensor | undefined;
}

/** A batch whose pictures are on the device. */
export interface LoadedBatch {
  readonly pictures: readonly { readonly planned: PlannedPicture; readonly tensor: Tensor }[];
  readonly errors: readonly { readonly planned: PlannedPicture; readonly error: unknown }[];
}

/** Loads planned batches in order, decoding ahead of their use. What is left of a ranked pair, or of a picture's views, is left out. */
export async function* loadBatches(
  batches: readonly PlannedPicture[][],
  inputs: Inputs,
  views: PartViews = oneView,
): AsyncGenerator<LoadedBatch, void, undefined> {
  const planned = batches.values();
  let batch = planned.next().value;
  let tensors: (Tensor | undefined)[] = [];
  let errors: LoadedBatch["errors"][number][] = [];
  for await (const loaded of inputs.load(batches.flat(), { ahead: 64, concurrency: 3 })) {
    if ("error" in loaded) errors.push({ planned: loaded.row, error: loaded.error });
    tensors.push("error" in loaded ? undefined : loaded.tensor);
    if (tensors.length < batch!.length) continue;
    const pictures = groupsOf(batch!, views).flatMap(({ start, rows }) =>
      rows.every((_, i) => tensors[start + i])
        ? rows.map((row, i) => ({ planned: row, tensor: tensors[start + i]! }))
        : [],
    );
    yield { pictures, errors };
    tensors = [];
    errors = [];
    batch = planned.next().value;
  }
}

/** Rows of a batch that belong together: a ranked pair, or the views of a picture. */
export interface RowGroup {
  readonly start: number;
  readonly rows: readonly PlannedPicture[];
}

/** A batch of whole groups as such, in its order. */
export function groupsOf(batch: readonly PlannedPicture[], views: PartViews): RowGroup[] {
  const groups: RowGroup[] = [];
  for (let start = 0; start < batch.length; ) {
    const { part } = batch[start]!;
    const length = viewsOf(views, part);
    groups.push({ start, rows: batch.slice(start, start + length) });
    start += length;
  }
  return groups;
}

/** Rows of one picture of a part, or of a ranked pair. */
export function viewsOf(views: PartViews, part: PlannedPicture["part"]): number {
  return part === "ranked" ? 2 : (views[part] ?? []).length;
}

/** Rows that the pictures of a phase's batch are. */
export function rowsIn(
  { labelled, unlabelled, further = 0 }: PlannedPhase["batch"],
  views: PartViews = oneView,
): number {
  const parts = { labelled, unlabelled, further };
  return Object.entries(parts).reduce(
    (rows, [part, count]) => rows + count * viewsOf(views, part as keyof PartViews),
    0,
  );
}
