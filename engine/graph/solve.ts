import { any, type Checks, expectOptions, shown } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import type { KernelArgument } from "../kernel/argument.ts";
import type { CallCost } from "../kernel/call.ts";
import { rowRanges } from "../kernel/grid.ts";
import type { Constants } from "../kernel/template.ts";
import { upToFour } from "../ops/shape.ts";
import { evenParts, gatherJson, type Ranks } from "../ranks/ranks.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overAll } from "./flat.ts";
import { expectMatrix, type SparseMatrix } from "./sparse.ts";

export interface SolveOptions {
  /** Share of the neighbours in the sum, in [0, 1). */
  readonly gamma: number;
  /** Largest ‖residual‖ / ‖right-hand side‖ that ends the iteration, over all columns. Default 1e-6. */
  readonly tolerance?: number;
  /** Default 50. */
  readonly maximumIterations?: number;
}

export interface Convergence {
  readonly iterations: number;
  /** Largest ‖residual‖ / ‖right-hand side‖ of a column. */
  readonly residual: number;
  /** False when the iterations were used up before the residual came below the tolerance. */
  readonly converged: boolean;
}

export interface Solution extends Convergence {
  /** Z, f32 [N, m]. */
  readonly solution: Tensor;
}

/** The right-hand side or solution was not made of numbers. */
export class SolveError extends Error {
  override name = "SolveError";
}

/** The numbers are looked at together. */
export const solveChecks: Checks<SolveOptions> = { gamma: any, tolerance: any, maximumIterations: any };

/** Parts of a sum over rows, and rows that a part should at least have: enough work in parallel, few numbers to add. */
const mostParts = 512;
const leastRowsPerPart = 8;

/**
 * Solves (I − gamma·W) Z = Y by conjugate gradients, all columns in step so that they share the sparse product, each with its
 * own step sizes (CPL-IQA Eq. 6 without the factor 1 − gamma, which row normalisation removes). A column that has
 * converged rests. For a normalised graph the matrix is positive definite with condition number at most
 * (1 + gamma) / (1 − gamma). The same input gives the same bits. The residual is the one of the recursion; in f32 the true
 * one follows it down to about 1e-7 times that condition number.
 * @param y right-hand sides, f32 [N, m]
 * @throws ShapeError when the shapes or options do not fit
 * @throws SolveError when infinities or NaN come up
 */
export async function solve(matrix: SparseMatrix, y: Tensor, options: SolveOptions): Promise<Solution> {
  expectOptions("solve", options, solveChecks);
  expectMatrix("solve", matrix, { y });
  const { gamma, tolerance = 1e-6, maximumIterations = 50 } = options;
  checkOptions(gamma, tolerance, maximumIterations);
  if (y.rank !== 2 || y.shape[0] !== matrix.size) {
    throw new ShapeError(`solve: the matrix has ${matrix.size} rows, the right-hand side is ${y.dtype} [${y.shape}]`);
  }
  const columns = y.shape[1]!;
  const { ranks } = y.device;
  // Columns know nothing of one another: each rank has some, to the same bits.
  if (ranks && columns > 4) return solvedByRanks(matrix, y, options, ranks);
  return solved(matrix, y, options, [0, columns]);
}

/** Some of the columns of a solution; the others are not written. */
async function solved(
  matrix: SparseMatrix,
  y: Tensor,
  { gamma, tolerance = 1e-6, maximumIterations = 50 }: SolveOptions,
  [from, until]: readonly [number, number],
): Promise<Solution> {
  const widest = widestPanel(y.device, matrix.size);
  const worst = { iterations: 0, residual: 0, converged: true };
  let solution: Tensor | undefined;
  try {
    for (let first = from; first < until; first += widest) {
      const width = Math.min(widest, until - first);
      const panel = y.device.owned("graph", () => new Panel(matrix, y, first, width, { gamma, tolerance }));
      try {
        const { iterations, residual } = await panel.run(maximumIterations);
        worst.iterations = Math.max(worst.iterations, iterations);
        worst.residual = Math.max(worst.residual, residual);
        solution = y.device.owned("graph", () => panel.store(solution));
      } finally {
        panel.dispose();
      }
    }
  } catch (error) {
    solution?.dispose();
    throw error;
  }
  worst.converged = worst.residual <= tolerance;
  return { solution: solution!, ...worst };
}

/** All columns, of which each rank solves for some. */
async function solvedByRanks(matrix: SparseMatrix, y: Tensor, options: SolveOptions, ranks: Ranks): Promise<Solution> {
  const { device } = y;
  const [rows, columns] = y.shape as [number, number];
  const bounds = evenParts(Math.ceil(columns / 4), ranks.size).map((four) => Math.min(columns, 4 * four));
  const [from, until] = [bounds[ranks.rank]!, bounds[ranks.rank + 1]!];
  const own = from < until ? await solved(matrix, y, options, [from, until]) : undefined;
  const found = own ? await own.solution.read() : new Float32Array();
  own?.solution.dispose();
  const mine = new Float32Array(rows * (until - from));
  for (let row = 0; row < rows; row++)
    mine.set(found.subarray(row * columns + from, row * columns + until), row * (until - from));
  const parts = await ranks.gather(
    new Uint8Array(mine.buffer),
    bounds.slice(1).map((end, rank) => 4 * rows * (end - bounds[rank]!)),
  );
  const all = new Float32Array(rows * columns);
  parts.forEach((part, rank) => {
    const [numbers, first] = [new Float32Array(part.buffer), bounds[rank]!];
    const width = bounds[rank + 1]! - first;
    for (let row = 0; row < rows; row++)
      all.set(numbers.subarray(row * width, (row + 1) * width), row * columns + first);
  });
  const said = await gatherJson(ranks, { iterations: own?.iterations ?? 0, residual: own?.residual ?? 0 });
  const residual = Math.max(...said.map((each) => each.residual));
  return {
    solution: device.owned("graph", () => Tensor.from(device, all, [rows, columns]).keep()),
    iterations: Math.max(...said.map((each) => each.iterations)),
    residual,
    converged: residual <= (options.tolerance ?? 1e-6),
  };
}

function checkOptions(gamma: number, tolerance: number, maximumIterations: number): void {
  if (!(Number.isFinite(gamma) && gamma >= 0 && gamma < 1))
    throw new ShapeError(`solve: gamma = ${shown(gamma)}; it must lie in [0, 1)`);
  if (!(Number.isFinite(tolerance) && tolerance > 0))
    throw new ShapeError(`solve: tolerance = ${shown(tolerance)}; it must be above 0`);
  if (!(Number.isSafeInteger(maximumIterations) && maximumIterations >= 1)) {
    throw new ShapeError(`solve: maximumIterations = ${shown(maximumIterations)}; it must be a whole number from 1`);
  }
}

/** Columns of which all rows fit one binding, since the sparse product reaches for any row. */
function widestPanel(device: Device, rows: number): number {
  const widest = Math.floor((device.maximumBindingBytes - 12) / 16 / rows) * 4;
  if (widest === 0) {
    throw new ShapeError(
      `solve: 4 columns of ${rows} rows do not fit one binding of ${device.maximumBindingBytes} bytes on this adapter`,
    );
  }
  return widest;
}

/** Conjugate gradients on columns `first … first + used − 1` of the right-hand side. */
class Panel {
  readonly #device: Device;
  readonly #matrix: SparseMatrix;
  readonly #y: Tensor;
  readonly #first: number;
  readonly #used: number;
  readonly #columns4: number;
  readonly #parts: number;
  readonly #rowsPerPart: number;
  readonly #gamma: number;
  readonly #tolerance: number;
  /** Solution, residual, direction, and the matrix times the direction: [N, 4·columns4]. */
  readonly #vectors: Readonly<Record<"z" | "r" | "p" | "q", Tensor>>;
  /** One number per column. */
  readonly #scalars: Readonly<Record<"rr" | "yy" | "factor" | "residual", Tensor>>;
  readonly #partSums: Tensor;

  constructor(
    matrix: SparseMatrix,
    y: Tensor,
    first: number,
    used: number,
    options: { gamma: number; tolerance: number },
  ) {
    const { device } = y;
    const rows = matrix.size;
    const width = upToFour(used);
    this.#device = device;
    this.#matrix = matrix;
    this.#y = y;
    this.#first = first;
    this.#used = used;
    this.#columns4 = width / 4;
    this.#gamma = options.gamma;
    this.#tolerance = options.tolerance;
    const parts = Math.min(mostParts, Math.ceil(rows / leastRowsPerPart));
    this.#rowsPerPart = Math.ceil(rows / parts);
    this.#parts = Math.ceil(rows / this.#rowsPerPart);
    const vector = () => Tensor.empty(device, [rows, width]);
    const scalar = () => Tensor.empty(device, [width]);
    this.#vectors = { z: Tensor.zeros(device, [rows, width]), r: vector(), p: vector(), q: vector() };
    this.#scalars = { rr: scalar(), yy: scalar(), factor: scalar(), residual: scalar() };
    this.#partSums = Tensor.empty(device, [this.#parts, width]);
  }

  async run(maximumIterations: number): Promise<{ iterations: number; residual: number }> {
    this.#start();
    let residual = await this.#residual();
    let iterations = 0;
    while (residual > this.#tolerance && iterations < maximumIterations) {
      this.#iterate();
      iterations++;
      residual = await this.#residual();
    }
    return { iterations, residual };
  }

  /** Hands the columns to `solution`, [N, m], or to a new one. */
  store(solution: Tensor | undefined): Tensor {
    const [rows, columns] = this.#y.shape as [number, number];
    const { z } = this.#vectors;
    if (this.#used === columns && columns % 4 === 0) return z.alias();
    const whole = solution ?? Tensor.empty(this.#device, [rows, columns]);
    this.#copy(z, 0, whole, this.#first, this.#used);
    return whole;
  }

  dispose(): void {
    for (const tensor of [...Object.values(this.#vectors), ...Object.values(this.#scalars), this.#partSums])
      tensor.dispose();
  }

  #start(): void {
    const { r, p } = this.#vectors;
    this.#copy(this.#y, this.#first, r, 0, this.#columns4 * 4);
    this.#device.stream.copy(r.allocation, 0, p.allocation, 0, r.sizeBytes);
    const elements = this.#matrix.size * this.#used;
    this.#overParts("advance", { MOVE: false }, { r: r.window() }, {}, { flops: 2 * elements });
    this.#factor("start");
  }

  #iterate(): void {
    const { z, r, p, q } = this.#vectors;
    const { rowStart, columns, values } = this.#matrix;
    const matrix = { row_start: rowStart.window(), columns: columns.window(), values: values.window() };
    const factor = this.#scalars.factor.window();
    // A multiply-add for every entry and column, and two a row: p − gamma · (…), and the sum of p · q.
    const flops = 2 * (values.size + 2 * this.#matrix.size) * this.#used;
    const elements = this.#matrix.size * this.#used;
    this.#overParts("product", {}, { ...matrix, p: p.window(), q: q.window() }, { gamma: this.#gamma }, { flops });
    this.#factor("alpha");
    const vectors = { z: z.window(), r: r.window(), p: p.window(), q: q.window() };
    // r − α · q, z + α · p, and the sum of r²
    this.#overParts("advance", { MOVE: true }, { ...vectors, factor }, {}, { flops: 6 * elements });
    this.#factor("beta");
    const count4 = p.size / 4;
    overAll(
      this.#device,
      count4,
      "direction",
      {},
      { p: p.window(), r: r.window(), factor },
      { count4, columns4: this.#columns4 },
      { flops: 2 * elements },
    );
  }

  async #residual(): Promise<number> {
    const columns = (await this.#scalars.residual.read()).subarray(0, this.#used);
    const worst = columns.reduce((largest, residual) => Math.max(largest, residual), 0);
    if (!Number.isFinite(worst)) {
      throw new SolveError("solve: the residual is not a number; the features, weights or labels hold NaN or infinity");
    }
    return worst;
  }

  /** A kernel that makes four columns of one part of the rows per invocation. */
  #overParts(
    kernel: string,
    constants: Constants,
    bindings: Readonly<Record<string, KernelArgument>>,
    parameters: Readonly<Record<string, number>>,
    cost?: CallCost,
  ): void {
    overAll(
      this.#device,
      this.#parts * this.#columns4,
      kernel,
      constants,
      { ...bindings, parts: this.#partSums.window() },
      {
        ...parameters,
        rows: this.#matrix.size,
        columns4: this.#columns4,
        parts: this.#parts,
        rows_per_part: this.#rowsPerPart,
      },
      cost,
    );
  }

  #factor(step: "start" | "alpha" | "beta"): void {
    const { rr, yy, factor, residual } = this.#scalars;
    overAll(
      this.#device,
      this.#columns4,
      "factor",
      { STEP: step },
      {
        parts: this.#partSums.window(),
        rr: rr.window(),
        yy: yy.window(),
        factor: factor.window(),
        residual: residual.window(),
      },
      { columns4: this.#columns4, parts: this.#parts, tolerance: this.#tolerance },
      { flops: this.#parts * this.#used },
    );
  }

  /** `width` columns of x from `xFirst` into y from `yFirst`; those beyond the ones in use are filled with zeros. */
  #copy(x: Tensor, xFirst: number, y: Tensor, yFirst: number, width: number): void {
    const [rows, xStride] = x.shape as [number, number];
    const yStride = y.shape[1]!;
    for (const { start, count } of rowRanges(this.#device, rows, [xStride, yStride])) {
      overAll(
        this.#device,
        count * width,
        "panel",
        {},
        { x: x.window(start * xStride, count * xStride), y: y.window(start * yStride, count * yStride) },
        {
          count: count * width,
          width,
          used: this.#used,
          x_stride: xStride,
          x_first: xFirst,
          y_stride: yStride,
          y_first: yFirst,
        },
        { bytes: 4 * count * (Math.min(width, this.#used) + width) },
      );
    }
  }
}
