import { type Checks, expectNames, expectOptions, flag } from "../arguments.ts";
import { rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overAll } from "./flat.ts";
import { type Convergence, type SolveOptions, solveChecks } from "./solve.ts";
import { solveRows } from "./solve-rows.ts";
import { expectMatrix, type SparseMatrix } from "./sparse.ts";

/** What is known: row `rows[i]` of the graph has the label `targets[i]`. */
export interface KnownLabels {
  /** Distinct rows of the graph. */
  readonly rows: ArrayLike<number>;
  /** f32 [rows.length, m], each row a distribution over m ≥ 2 values. */
  readonly targets: Tensor;
}

export interface PropagateOptions extends SolveOptions {
  /** Largest error of a pseudo-label, about, whatever its mass. Default 1e-6. */
  readonly tolerance?: number;
  /** Of one solution. Default 1000: labels come one step further with each. */
  readonly maximumIterations?: number;
  /** Whether labelled rows end with their label and confidence 1; else with what was spread to them, as the others. Default true. */
  readonly keepLabels?: boolean;
}

export interface Propagation extends Convergence {
  /** f32 [N, m], each row a distribution. */
  readonly pseudoLabels: Tensor;
  /** f32 [N], 0 (nothing known) to 1 (certain, or a label that was kept). */
  readonly confidence: Tensor;
  /** Number of rows that no label reached: they have the uniform distribution and confidence 0. */
  readonly unreachable: number;
}

const checks: Checks<PropagateOptions> = { ...solveChecks, keepLabels: flag };
const labelNames = { rows: true, targets: true } satisfies Record<keyof KnownLabels, true>;

/**
 * Spreads labels over a graph. Z solves (I − gamma·W) Z = Y with Y the labels, 0 in the rows without one (CPL-IQA Eq. 6, the limit of
 * Eq. 5); a pseudo-label is a row of Z, negatives set to 0, divided by its sum (Eq. 7); its confidence is
 * 1 − H / ln m with H its entropy (Eq. 8). Labelled rows keep their label and have confidence 1, unless `keepLabels` is false.
 *
 * The labels reach a row when edges of weights above 0 lead from one of them to it, however little of their mass comes so far.
 * @throws ShapeError when labels and graph do not fit together, or gamma is not in [0, 1)
 * @throws SolveError when infinities or NaN come up
 */
export async function propagate(
  graph: SparseMatrix,
  labels: KnownLabels,
  options: PropagateOptions,
): Promise<Propagation> {
  expectOptions("propagate", options, checks);
  expectNames("the labels of propagate", labels, labelNames);
  expectMatrix("propagate", graph, { targets: labels.targets });
  const { gamma, tolerance = 1e-6, maximumIterations = 1000, keepLabels = true } = options;
  const { device } = labels.targets;
  const numbers = labelNumbers(graph.size, labels);
  const start = () => {
    const label = Tensor.from(device, numbers, [graph.size]);
    return { label, y: spread(labels.targets, label) };
  };
  const { label, y } = device.owned("graph", () => device.scope(start));
  try {
    const { solution, ...convergence } = await solveRows(graph, y, { gamma, tolerance, maximumIterations });
    try {
      const { confidence, summary } = device.scope(() => {
        const result = finish(solution, y, label, keepLabels);
        return { confidence: result.confidence, summary: { read: result.summary.readIndices() } };
      });
      const unreachable = (await summary.read)[0]!;
      return { pseudoLabels: solution, confidence, unreachable, ...convergence };
    } catch (error) {
      solution.dispose();
      throw error;
    }
  } finally {
    label.dispose();
    y.dispose();
  }
}

/** For each row of the graph the number of its label from 1, or 0. */
function labelNumbers(size: number, { rows, targets }: KnownLabels): Uint32Array<ArrayBuffer> {
  if (targets.rank !== 2 || targets.shape[0] !== rows.length || targets.shape[1]! < 2) {
    throw new ShapeError(
      `propagate: ${rows.length} labelled rows need f32 targets [${rows.length}, m] with m at least 2, found ${targets.dtype} [${targets.shape}]`,
    );
  }
  const numbers = new Uint32Array(size);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (!(Number.isInteger(row) && row >= 0 && row < size)) {
      throw new ShapeError(`propagate: labelled row ${row} is not one of the ${size} rows of the graph`);
    }
    if (numbers[row] !== 0) throw new ShapeError(`propagate: row ${row} is labelled twice`);
    numbers[row] = i + 1;
  }
  return numbers;
}

/** Y: the labels in their rows, zeros in the others. */
function spread(targets: Tensor, label: Tensor): Tensor {
  const { device } = targets;
  const rows = label.size;
  const columns = targets.shape[1]!;
  const y = Tensor.empty(device, [rows, columns]);
  for (const { start, count } of rowRanges(device, rows, [columns, 1])) {
    overAll(
      device,
      count * columns,
      "labels",
      {},
      { targets: targets.window(), label: label.window(start, count), y: y.window(start * columns, count * columns) },
      { count: count * columns, columns },
    );
  }
  return y;
}

/** Turns Z into pseudo-labels in place; the confidences, and the number of unreached rows. */
function finish(z: Tensor, y: Tensor, label: Tensor, keepLabels: boolean) {
  const { device } = z;
  const [rows, columns] = z.shape as [number, number];
  const confidence = Tensor.empty(device, [rows]);
  const summary = Tensor.zeros(device, [1], "u32");
  for (const { start, count } of rowRanges(device, rows, [columns, 1])) {
    overAll(
      device,
      count,
      "pseudo_label",
      { KEEP: keepLabels },
      {
        z: z.window(start * columns, count * columns),
        confidence: confidence.window(start, count),
        summary: summary.window(),
        ...(keepLabels && { y: y.window(start * columns, count * columns), label: label.window(start, count) }),
      },
      { rows: count, columns },
      // As if no row had a label: a maximum, Σ, a share, and Σ share · ln share. A row of z or y is read, one of z written.
      { flops: 6 * count * columns, bytes: 4 * (2 * count * columns + 2 * count + 1) },
    );
  }
  return { confidence, summary };
}
