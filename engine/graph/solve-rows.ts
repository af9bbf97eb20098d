import { withoutGradients } from "../autograd.ts";
import { sum } from "../ops/reduce.ts";
import { Tensor } from "../tensor.ts";
import { type Solution, type SolveOptions, solve } from "./solve.ts";
import type { SparseMatrix } from "./sparse.ts";

/** Rows below this share of the largest wait for the next round: f32 conjugate gradients tell them from rounding by far. */
const window = 1e-6;
/** Of the masses, which only say how small the smallest row is. */
const massTolerance = 1e-12;

/**
 * Solves (I − gamma·W) Z = Y for Y ≥ 0, each row of Z up to a factor of its own, and right to about `tolerance` of that row, however little
 * of Y comes to it. A row that nothing of Y reaches is 0 exactly, others are not.
 *
 * What comes to a row falls by a factor with each step from the labels, below any tolerance that is told for all rows at once. So first the
 * row sums alone are solved for (one column); then Z is, to `tolerance` times the smallest of them within a {@link window}. Rows R are
 * done with that. For the others U the system is (I − gamma·W_UU) Z_U = Y_U + gamma·W_UR Z_R: its right-hand side is brought back to 1 and
 * the next round begins. A graph of nearest neighbours seldom needs a second one.
 * @param y f32 [N, m]
 * @throws as `solve`
 */
export async function solveRows(matrix: SparseMatrix, y: Tensor, options: Required<SolveOptions>): Promise<Solution> {
  const { done, masses, ...first } = await round(matrix, y, options);
  const { solution } = first;
  try {
    if (done.every(Boolean)) return first;
    const graph = await hostGraph(matrix);
    const open = done.map((isDone) => 1 - isDone);
    const isIsland = masses.every((mass, i) => done[i] || mass === 0) && !touches(graph, open);
    if (isIsland) return first;
    const right = Float64Array.from(await y.read());
    const rows = await solution.read();
    const rest = await furtherRounds({ matrix, graph, open, right, rows }, options);
    solution.write(rows);
    return {
      solution,
      iterations: first.iterations + rest.iterations,
      residual: Math.max(first.residual, rest.residual),
      converged: first.converged && rest.converged,
    };
  } catch (error) {
    solution.dispose();
    throw error;
  }
}

/** One solution, the row sums that were estimated before it, and which rows it is right for: 1, else 0. */
async function round(matrix: SparseMatrix, y: Tensor, options: Required<SolveOptions>) {
  const { gamma, tolerance, maximumIterations } = options;
  const { device } = y;
  using sums = device.owned("graph", () => device.scope(() => withoutGradients(() => sum(y, 1))));
  using column = sums.alias([matrix.size, 1]);
  const { solution: mass } = await solve(matrix, column, { gamma, maximumIterations, tolerance: massTolerance });
  const masses = await mass.read().finally(() => mass.dispose());
  const largest = masses.reduce((a, b) => Math.max(a, b), 0);
  const done = Uint8Array.from(masses, (each) => (each > 0 && each >= window * largest ? 1 : 0));
  const smallest = masses.reduce((least, each, i) => (done[i] ? Math.min(least, each) : least), 1);
  return { done, masses, ...(await solve(matrix, y, { ...options, tolerance: tolerance * smallest })) };
}

interface HostGraph {
  readonly rowStart: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

async function hostGraph({ rowStart, columns, values }: SparseMatrix): Promise<HostGraph> {
  const read = await Promise.all([rowStart.readIndices(), columns.readIndices(), values.read()]);
  return { rowStart: read[0], columns: read[1], values: read[2] };
}

/** Calls with each entry of the open rows that is not 0. */
function forOpen(graph: HostGraph, open: Uint8Array, use: (row: number, column: number, entry: number) => void): void {
  open.forEach((isOpen, row) => {
    if (!isOpen) return;
    for (let entry = graph.rowStart[row]!; entry < graph.rowStart[row + 1]!; entry++)
      if (graph.values[entry] !== 0) use(row, graph.columns[entry]!, entry);
  });
}

/** Whether an open row has a neighbour that is not. */
function touches(graph: HostGraph, open: Uint8Array): boolean {
  let found = false;
  forOpen(graph, open, (_, column) => {
    found ||= !open[column];
  });
  return found;
}

/** Where rounds stand: `open` rows are still to be solved for; `right` and `rows`, [N, m], are of the last round. */
interface Rounds {
  readonly matrix: SparseMatrix;
  readonly graph: HostGraph;
  readonly open: Uint8Array;
  readonly right: Float64Array;
  readonly rows: Float32Array;
}

/** Rounds to the end: `rows` become what each was when it was done, 0 where nothing comes to. */
async function furtherRounds({ matrix, graph, open, right, rows }: Rounds, options: Required<SolveOptions>) {
  const { device } = matrix.values;
  const m = rows.length / matrix.size;
  const total = { iterations: 0, residual: 0, converged: true };
  let last = open.map((isOpen) => 1 - isOpen);
  for (;;) {
    if (!carryOver({ graph, open, right, rows }, last, options.gamma)) break;
    const values = new Float32Array(graph.values.length);
    forOpen(graph, open, (_, column, entry) => {
      if (open[column]) values[entry] = graph.values[entry]!;
    });
    const { given, y } = device.owned("graph", () => ({
      given: Tensor.from(device, values, [values.length]),
      y: Tensor.from(device, Float32Array.from(right), [matrix.size, m]),
    }));
    try {
      const { solution, done, masses: _, ...rest } = await round({ ...matrix, values: given }, y, options);
      const found = await solution.read().finally(() => solution.dispose());
      total.iterations += rest.iterations;
      total.residual = Math.max(total.residual, rest.residual);
      total.converged &&= rest.converged;
      last = done;
      done.forEach((isDone, i) => {
        if (!isDone) return;
        open[i] = 0;
        rows.set(found.subarray(i * m, (i + 1) * m), i * m);
      });
    } finally {
      given.dispose();
      y.dispose();
    }
  }
  open.forEach((isOpen, i) => {
    if (isOpen) rows.fill(0, i * m, (i + 1) * m);
  });
  return total;
}

/**
 * Makes the right-hand side of the next round in place, its largest row sum being 1.
 * @param last rows that the last round did @returns false when it is 0
 */
function carryOver({ graph, open, right, rows }: Omit<Rounds, "matrix">, last: Uint8Array, gamma: number): boolean {
  const m = rows.length / open.length;
  forOpen(graph, open, (row, column, entry) => {
    if (!last[column]) return;
    const weight = gamma * graph.values[entry]!;
    for (let c = 0; c < m; c++) right[row * m + c]! += weight * Math.max(0, rows[column * m + c]!);
  });
  let largest = 0;
  open.forEach((isOpen, row) => {
    const own = right.subarray(row * m, (row + 1) * m);
    if (isOpen)
      largest = Math.max(
        largest,
        own.reduce((a, b) => a + b, 0),
      );
    else own.fill(0);
  });
  if (largest === 0) return false;
  for (let i = 0; i < right.length; i++) right[i]! /= largest;
  return true;
}
