import type { Device } from "../../engine/device/device.ts";
import { cosine } from "../../engine/optim/schedule.ts";
import { Random } from "../../engine/random.ts";
import { classes, type ReasonHead, standardised } from "./head.ts";
import { HeadLearner } from "./head-learner.ts";

export interface HeadOptions {
  /** Width of the hidden layer. @default 64 */
  readonly hidden?: number;
  /** @default 2000 */
  readonly steps?: number;
  /** Rows of a step. @default 256 */
  readonly batch?: number;
  /** Learning rate at the start; it falls to 0 by half a cosine. @default 0.003 */
  readonly rate?: number;
  /** Of AdamW. @default 0.1 */
  readonly decay?: number;
  /** @default 1 */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** A row to learn from. */
export interface TaughtRow {
  readonly statistics: ArrayLike<number>;
  /** Place in {@link classes}. */
  readonly truth: number;
}

export type TrainedHead = Pick<ReasonHead, "mean" | "deviation" | "hidden" | "output">;

/**
 * Teaches a head by AdamW with mean cross-entropy. Each step draws its rows, with the same chance for each class that there is.
 * The same seed on the same adapter gives the same bits.
 * @throws the signal's reason
 */
export async function trainHead(
  device: Device,
  rows: readonly TaughtRow[],
  { hidden = 64, steps = 2000, batch = 256, rate = 0.003, decay = 0.1, seed = 1, signal }: HeadOptions = {},
): Promise<TrainedHead> {
  const scale = scaleOf(rows);
  const inputs = scale.mean.length;
  const byClass = classes.map((_, c) =>
    rows.filter(({ truth }) => truth === c).map(({ statistics }) => standardised(scale, statistics)),
  );
  const present = byClass.flatMap((own, c) => (own.length > 0 ? [c] : []));
  const random = new Random(seed, "reasons/rows");
  const sizes = { inputs, hidden, classes: classes.length, batch };
  using learner = new HeadLearner(device, new Random(seed, "reasons/weights"), sizes, { rate, decay });
  const schedule = cosine({ steps });
  for (let step = 0; step < steps; step++) {
    signal?.throwIfAborted();
    const [x, truth] = [new Float32Array(batch * inputs), new Float32Array(batch * classes.length)];
    for (let i = 0; i < batch; i++) {
      const c = present[random.integer(present.length)]!;
      x.set(byClass[c]![random.integer(byClass[c]!.length)]!, i * inputs);
      truth[i * classes.length + c] = 1;
    }
    await learner.step(x, truth, schedule(step));
  }
  return { ...scale, ...(await learner.read()) };
}

/** Mean and deviation of each statistic; one that does not vary counts as it is. */
function scaleOf(rows: readonly TaughtRow[]): Pick<ReasonHead, "mean" | "deviation"> {
  const inputs = rows[0]!.statistics.length;
  const average = (of: (row: TaughtRow, i: number) => number) =>
    Float32Array.from({ length: inputs }, (_, i) => rows.reduce((sum, row) => sum + of(row, i), 0) / rows.length);
  const middle = average(({ statistics }, i) => statistics[i]!);
  const variance = average(({ statistics }, i) => (statistics[i]! - middle[i]!) ** 2);
  return { mean: middle, deviation: variance.map((value) => Math.sqrt(value) || 1) };
}
