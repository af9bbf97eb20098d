import { ridges } from "../parts/kernel-regression.ts";
import { dot, type FoldFit, foldsOf, type LinearData, layerOf, meanOver, predicted } from "./linear-data.ts";

/** Steps of conjugate gradients at most, and the residual, as a share of the right side, at which a penalty is solved for. */
const mostSteps = 1000;
const solved = 1e-9;

export interface RidgeByFolds extends FoldFit {
  readonly ridge: number;
}

/**
 * Ridge regression of many pictures: w with least Σ_i (y_i − b − w·z_i)² + λ D |w|², z standardised and D the features that vary, as `kernelRidge` with
 * the linear kernel has it. λ is the one with the least squared error over five folds; a penalty that conjugate gradients do not reach is none to
 * choose.
 * @param ridge λ; 0 to choose it
 */
export function ridgeByFolds(data: LinearData, ridge: number): RidgeByFolds {
  const { n, y, varying } = data;
  const lambdas = ridge > 0 ? [ridge] : [...ridges];
  const shifts = lambdas.map((lambda) => lambda * varying);
  const errors = new Float64Array(lambdas.length);
  const leftOut = lambdas.map(() => new Float64Array(n));
  for (const { train, test } of foldsOf(n)) {
    const constant = meanOver(train, y);
    solveShifted(data, train, shifts).forEach((found, k) => {
      if (!found) errors[k] = Number.POSITIVE_INFINITY;
      else
        predicted(data, test, found.weights, constant - found.offset).forEach((value, t) => {
          leftOut[k]![test[t]!] = value;
          errors[k]! += (value - y[test[t]!]!) ** 2;
        });
    });
  }
  const all = Array.from({ length: n }, (_, i) => i);
  // The best whose solution of all pictures is reached, too.
  const order = [...lambdas.keys()].filter((k) => Number.isFinite(errors[k])).sort((a, b) => errors[a]! - errors[b]!);
  for (const k of order) {
    const [found] = solveShifted(data, all, [shifts[k]!]);
    if (!found) continue;
    const layer = layerOf(data, found.weights, meanOver(all, y) - found.offset);
    return { ridge: lambdas[k]!, leftOut: leftOut[k]!, layer };
  }
  throw new RangeError(
    `ridge regression: after ${mostSteps} steps no penalty of ${lambdas.join(", ")} is solved for; give a larger \`ridge\``,
  );
}

/** Weights, and what they make of the mean of the pictures they were learnt from. */
interface Solution {
  readonly weights: Float64Array;
  readonly offset: number;
}

/**
 * (ZᵀZ + s) w = Zᵀ(y − ȳ) for several s at once, Z centred over `rows`: conjugate gradients for all s share their products, since shifted matrices span
 * the same Krylov spaces (Jegerlehner, hep-lat/9612014, Eq. 2.42-2.44).
 * @param shifts positive @returns undefined where the residual is not reached
 */
export function solveShifted(
  data: LinearData,
  rows: readonly number[],
  shifts: readonly number[],
): (Solution | undefined)[] {
  const { d, y } = data;
  const [products, means] = gramOf(data, rows);
  const constant = meanOver(rows, y);
  const right = products.turned(rows.map((i) => y[i]! - constant));
  const least = Math.min(...shifts);
  const all = shifts.map((shift) => ({
    ...{ above: shift - least, zeta: 1, zetaBefore: 1, beta: 1, done: false },
    weights: new Float64Array(d),
    direction: right.slice(),
  }));
  const residual = right.slice();
  const direction = right.slice();
  let square = dot(residual, residual);
  const enough = solved ** 2 * square;
  let [betaBefore, alpha] = [1, 0];
  for (let step = 0; step < mostSteps && square > 0 && all.some(({ done }) => !done); step++) {
    const turned = products.through(direction);
    for (let j = 0; j < d; j++) turned[j]! += least * direction[j]!;
    const beta = -square / dot(direction, turned);
    for (const own of all) {
      if (own.done) continue;
      const { zeta, zetaBefore } = own;
      const below = beta * alpha * (zetaBefore - zeta) + zetaBefore * betaBefore * (1 - own.above * beta);
      const next = (zeta * zetaBefore * betaBefore) / below;
      own.beta = (beta * next) / zeta;
      for (let j = 0; j < d; j++) own.weights[j]! -= own.beta * own.direction[j]!;
      [own.zetaBefore, own.zeta] = [zeta, next];
    }
    for (let j = 0; j < d; j++) residual[j]! += beta * turned[j]!;
    const after = dot(residual, residual);
    alpha = after / square;
    for (const own of all) {
      if (own.done) continue;
      const ownAlpha = (alpha * own.zeta * own.beta) / (own.zetaBefore * beta);
      for (let j = 0; j < d; j++) own.direction[j] = own.zeta * residual[j]! + ownAlpha * own.direction[j]!;
      own.done = own.zeta ** 2 * after <= enough;
    }
    for (let j = 0; j < d; j++) direction[j] = residual[j]! + alpha * direction[j]!;
    [betaBefore, square] = [beta, after];
  }
  return all.map(({ weights, done }) => (done || square === 0 ? { weights, offset: dot(weights, means) } : undefined));
}

/** Products with Z, whose columns are standardised over all pictures and centred over some; and the means of their standardised columns. */
function gramOf({ features, d, mean, scale }: LinearData, rows: readonly number[]) {
  // Zᵀt of t with sum 0: what is subtracted from columns drops out.
  const turned = (t: readonly number[]) => {
    const sums = new Float64Array(d);
    rows.forEach((i, k) => {
      const value = t[k]!;
      for (let j = 0; j < d; j++) sums[j]! += features[i * d + j]! * value;
    });
    return sums.map((sum, j) => sum * scale[j]!);
  };
  const through = (v: Float64Array) => {
    const own = v.map((value, j) => value * scale[j]!);
    const t = rows.map((i) => {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += features[i * d + j]! * own[j]!;
      return sum;
    });
    const middle = t.reduce((sum, value) => sum + value, 0) / rows.length;
    return turned(t.map((value) => value - middle));
  };
  const means = new Float64Array(d);
  for (const i of rows)
    for (let j = 0; j < d; j++) means[j]! += ((features[i * d + j]! - mean[j]!) * scale[j]!) / rows.length;
  return [{ turned, through }, means] as const;
}
