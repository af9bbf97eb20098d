import { describe, expect, test } from "bun:test";
import { gelu, hardswish, relu, relu6, sigmoid, silu } from "../../../engine/ops/activations.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { cast } from "../../../engine/ops/cast.ts";
import { cumulativeSum } from "../../../engine/ops/cumulative-sum.ts";
import { dropout } from "../../../engine/ops/dropout.ts";
import { layerNorm } from "../../../engine/ops/layer-norm.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../../engine/ops/losses.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { normalise } from "../../../engine/ops/pictures/image.ts";
import { abs, clamp, exp, normalCdf, pow, scale, signedSqrt, square, tanh } from "../../../engine/ops/unary.ts";
import { Optimiser, type OptimiserOptions } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { type Counted, counted, declaredBy, declaredIn, tracked, varied } from "./declared.ts";

const devices = [
  ["with all features", await sharedDevice()],
  ["plain, with small bindings", await plainDevice()],
] as const;

/** erf by Simpson's rule; one elementary function, whatever is inside. */
function erf(x: number): number {
  const steps = 400;
  const f = (i: number) => Math.exp(-(((i * x) / steps) ** 2));
  let sum = f(0) + f(steps);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i);
  return (sum * x * 2) / (3 * steps * Math.sqrt(Math.PI));
}

const phi = (x: number, c: Counted) => c(0.5 * c(1 + c(erf(c(x / Math.SQRT2)))));
const logistic = (x: number, c: Counted) => c(1 / c(1 + c(Math.exp(-x))));
const root = Math.sqrt(2 / Math.PI);
const inner = (x: number, square: number, c: Counted) => c(root * c(x + c(0.044715 * c(square * x))));

/** f, and dy · f′ as the derivative stands above the operation. */
type Formula = readonly [
  name: string,
  op: string,
  run: (x: Tensor) => Tensor,
  f: (x: number, c: Counted) => number,
  slope: (x: number, dy: number, c: Counted) => number,
];

const formulas: readonly Formula[] = [
  ["relu", "relu", relu, (x, c) => c(Math.max(x, 0)), (x, dy) => (x > 0 ? dy : 0)],
  ["scale", "scale", (x) => scale(x, 3), (x, c) => c(3 * x), (_, dy, c) => c(3 * dy)],
  ["exp", "exp", exp, (x, c) => c(Math.exp(x)), (x, dy, c) => c(dy * Math.exp(x))],
  ["square", "square", square, (x, c) => c(x * x), (x, dy, c) => c(2 * c(dy * x))],
  [
    "gelu",
    "gelu",
    (x) => gelu(x),
    (x, c) => c(x * phi(x, c)),
    (x, dy, c) => {
      const density = c(c(Math.exp(c(-0.5 * c(x * x)))) * (1 / Math.sqrt(2 * Math.PI)));
      return c(dy * c(phi(x, c) + c(x * density)));
    },
  ],
  [
    "gelu, tanh form",
    "gelu",
    (x) => gelu(x, { approximate: "tanh" }),
    (x, c) => c(c(0.5 * x) * c(1 + c(Math.tanh(inner(x, c(x * x), c))))),
    (x, dy, c) => {
      const square = c(x * x);
      const t = c(Math.tanh(inner(x, square, c)));
      const slope = c(root * c(1 + c(0.134145 * square)));
      return c(dy * c(c(0.5 * c(1 + t)) + c(c(c(0.5 * x) * c(1 - c(t * t))) * slope)));
    },
  ],
  [
    "normalCdf",
    "normalCdf",
    normalCdf,
    phi,
    (x, dy, c) => c(dy * c(c(Math.exp(c(-0.5 * c(x * x)))) * (1 / Math.sqrt(2 * Math.PI)))),
  ],
  [
    "silu",
    "silu",
    silu,
    (x, c) => c(x * logistic(x, c)),
    (x, dy, c) => {
      const s = logistic(x, c);
      return c(c(dy * s) * c(1 + c(x * c(1 - s))));
    },
  ],
  [
    "sigmoid",
    "sigmoid",
    sigmoid,
    logistic,
    (x, dy, c) => {
      const s = logistic(x, c);
      return c(c(dy * s) * c(1 - s));
    },
  ],
  [
    "tanh",
    "tanh",
    tanh,
    (x, c) => c(Math.tanh(x)),
    (x, dy, c) => {
      const t = c(Math.tanh(x));
      return c(dy * c(1 - c(t * t)));
    },
  ],
  ["relu6", "relu6", relu6, (x, c) => c(Math.min(c(Math.max(x, 0)), 6)), (x, dy) => (x > 0 && x < 6 ? dy : 0)],
  [
    "hardswish",
    "hardswish",
    hardswish,
    (x, c) => c(c(x * c(Math.min(c(Math.max(c(x + 3), 0)), 6))) / 6),
    (x, dy, c) => c(dy * c(c(c(2 * x) + 3) / 6)),
  ],
  ["pow", "pow", (x) => pow(x, 3), (x, c) => c(x ** 3), (x, dy, c) => c(c(dy * 3) * c(x ** 2))],
  ["abs", "abs", abs, (x) => Math.abs(x), (x, dy, c) => c(dy * Math.sign(x))],
  [
    "clamp",
    "clamp",
    (x) => clamp(x, -1, 1),
    (x, c) => c(Math.min(c(Math.max(x, -1)), 1)),
    (x, dy) => (x >= -1 && x <= 1 ? dy : 0),
  ],
  [
    "signedSqrt",
    "signed_sqrt",
    (x) => signedSqrt(x, 0.1),
    (x, c) => c(Math.sign(x) * c(Math.sqrt(c(Math.abs(x) + 0.1)))),
    (x, dy, c) => c(c(0.5 * dy) / c(Math.sqrt(c(Math.abs(x) + 0.1)))),
  ],
  ["dropout", "dropout", (x) => dropout(x, 1e-9, { seed: 1 }), (x, c) => c(x * 1), (_, dy, c) => c(dy * 1)],
];

/** Forward and backward values of a row against the logits z, as they are defined; p = softmax(z) is made once. */
function softmaxOf(z: ArrayLike<number>, c: Counted): { e: number[]; total: number; top: number } {
  let top = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < z.length; j++) top = c(Math.max(top, z[j]!));
  const e = Array.from(z, (v) => c(Math.exp(c(v - top))));
  return { e, total: e.reduce((sum, v) => c(sum + v), 0), top };
}

describe.each(devices)("declared operations of elements and rows, %s", (_, device) => {
  test.each(formulas)("%s", async (_, op, run, f, slope) => {
    const x = tracked(device, [9, 61]);
    const values = await x.read();
    const found = await declaredBy(device, op, () => run(x));
    const forward = counted((c) => Array.from(values, (v) => f(v, c)));
    const backward = counted((c) => Array.from(values, (v) => slope(v, 1, c)));
    expect(found.forward.flops(/./)).toBe(forward.flops);
    expect(found.backward.flops(/./)).toBe(backward.flops);
    // The formulas that are counted are those that the kernels evaluate.
    const [y, dx] = [await found.y.read(), await x.gradient!.read()];
    for (let i = 0; i < values.length; i++) {
      expect(Math.abs(y[i]! - forward.result[i]!)).toBeLessThan(2e-5 * (1 + Math.abs(forward.result[i]!)));
      expect(Math.abs(dx[i]! - backward.result[i]!)).toBeLessThan(2e-5 * (1 + Math.abs(backward.result[i]!)));
    }
  });

  test("broadcast sums, running sums, channels normalised, and what has no arithmetic", async () => {
    const [a, b] = [tracked(device, [5, 7, 6]), tracked(device, [7, 1])];
    const sums = await declaredBy(device, "add", () => add(a, b));
    expect(sums.forward.flops(/broadcast/)).toBe(counted((c) => varied(5 * 7 * 6).map((v) => c(v + 1))).flops);
    const running = await declaredBy(device, "cumulativeSum", () => cumulativeSum(a));
    expect(running.forward.flops(/cumulative_sum/)).toBe(5 * 7 * 6);
    const channels = await declaredBy(device, "normalise", () =>
      normalise(tracked(device, [5, 7, 3]), [1, 2, 3], [1, 2, 3]),
    );
    expect(channels.forward.flops(/normalise/)).toBe(counted((c) => varied(105).map((v) => c(c(v - 1) * 2))).flops);
    const same = await declaredIn(device, () => {
      cast(cast(a, "f32"), "f32");
      return device.features.has("shader-f16") ? cast(a, "f16").dispose() : scale(a, 1).dispose();
    });
    expect(same.flops(/unary/)).toBe(device.features.has("shader-f16") ? 0 : a.size);
  });

  test("layerNorm and l2Normalise", async () => {
    const [rows, columns] = [5, 7];
    const [x, gain, shift] = [tracked(device, [rows, columns]), tracked(device, [columns]), tracked(device, [columns])];
    const norm = await declaredBy(device, "layerNorm", () => layerNorm(x, gain, shift));
    const input = counted((c) => {
      for (let row = 0; row < rows; row++) {
        let [sum, along] = [0, 0];
        const line = Array.from({ length: columns }, (_, j) => {
          const g = c(j * 2);
          const hat = c(c(j - 3) * 0.5);
          sum = c(sum + g);
          along = c(along + c(g * hat));
          return [g, hat] as const;
        });
        for (const [g, hat] of line) c(0.5 * c(c(g - sum) - c(hat * along)));
      }
    });
    const parameters = counted((c) => {
      let [along, sum] = [0, 0];
      for (let i = 0; i < rows * columns; i++) {
        along = c(along + c(i * c(c(i - 3) * 0.5)));
        sum = c(sum + i);
      }
    });
    expect(norm.backward.flops(/rows_gradient/)).toBe(input.flops);
    expect(norm.backward.flops(/parameter_gradient/)).toBe(parameters.flops);

    const unit = await declaredBy(device, "l2Normalise", () => l2Normalise(x));
    const forward = counted((c) => {
      let squares = 0;
      for (let i = 0; i < x.size; i++) squares = c(squares + c(i * i));
      for (let i = 0; i < x.size; i++) c(i * squares);
    });
    const backward = counted((c) => {
      let [squares, along] = [0, 0];
      for (let i = 0; i < x.size; i++) squares = c(squares + c(i * i));
      const y = Array.from({ length: x.size }, (_, i) => c(i * squares));
      for (const v of y) along = c(along + c(v * 2));
      for (const v of y) c(c(1 - c(v * along)) * 2);
    });
    expect(unit.forward.flops(/l2/)).toBe(forward.flops);
    expect(unit.backward.flops(/l2/)).toBe(backward.flops);
  });

  test("losses of rows and their weighted mean", async () => {
    const [rows, columns] = [5, 7];
    const logits = tracked(device, [rows, columns]);
    const target = Tensor.from(
      device,
      varied(rows * columns).map((v) => (v + 2.5) / 17),
      [rows, columns],
    );
    const [scores, levels] = [
      Tensor.from(device, varied(rows), [rows]),
      Tensor.from(device, varied(columns, 3), [columns]),
    ];
    const weights = Tensor.from(device, varied(rows).map(Math.abs), [rows]);
    const [z, t, y, m] = await Promise.all([logits.read(), target.read(), scores.read(), levels.read()]);

    // What is left out of the counts is done once for a row: ln Σ e, 1/m, a root, a division.
    type Row = (z: ArrayLike<number>, t: ArrayLike<number>, row: number, c: Counted) => number;
    const entropy: Row = (z, t, _, c) => {
      const { total, top } = softmaxOf(z, c);
      const shift = top + Math.log(total);
      return Array.from(z).reduce((sum, v, j) => c(sum + c(t[j]! * c(shift - v))), 0);
    };
    const divergence: Row = (z, t, _, c) => {
      const { total, top } = softmaxOf(z, c);
      const shift = top + Math.log(total);
      return Array.from(z).reduce((sum, v, j) => c(sum + c(t[j]! * c(c(c(Math.log(t[j]!)) + shift) - v))), 0);
    };
    const movers: Row = (z, t, _, c) => {
      const { e, total } = softmaxOf(z, c);
      let [difference, squares] = [0, 0];
      for (const [j, v] of e.entries()) {
        difference = c(difference + c(c(v / total) - t[j]!));
        squares = c(squares + c(difference * difference));
      }
      return Math.sqrt(squares / columns);
    };
    const expectation: Row = (z, _, row, c) => {
      const { e, total } = softmaxOf(z, c);
      return Math.abs(e.reduce((sum, v, j) => c(sum + c(m[j]! * v)), 0) / total - y[row]!);
    };
    // Beside what e^(z − max) and its sum take: Σ t, p, p Σ t − t and its factor; and so on, as in the comments of losses.ts.
    const entropyGradient = 4 + 1 + 1 + 2 + 1;
    const cases = [
      ["softCrossEntropy", () => softCrossEntropy(logits, target), entropy, entropyGradient],
      ["klDivergence", () => klDivergence(logits, target), divergence, entropyGradient],
      ["earthMoversDistance", () => earthMoversDistance(logits, target), movers, 4 + 1 + 1 + 2 + 2 + 2 + 1 + 3],
      ["expectationL1", () => expectationL1(logits, scores, levels), expectation, 4 + 2 + 1 + 3],
    ] as const;
    for (const [name, run, row, gradient] of cases) {
      const found = await declaredBy(device, name, run);
      const { flops, result } = counted((c) =>
        Array.from({ length: rows }, (_, i) => {
          const [from, to] = [i * columns, (i + 1) * columns];
          return row(z.subarray(from, to), t.subarray(from, to), i, c);
        }),
      );
      expect(found.forward.flops(/^loss/)).toBe(flops);
      expect(found.backward.flops(/^loss/)).toBe(gradient * rows * columns);
      const losses = await found.y.read();
      for (let i = 0; i < rows; i++) expect(Math.abs(losses[i]! - result[i]!)).toBeLessThan(1e-4);
    }
    const mean = await declaredBy(device, "weightedMean", () => weightedMean(tracked(device, [rows]), weights));
    expect(mean.forward.flops(/^loss/)).toBe(
      counted((c) => varied(rows).reduce((sum, v) => c(sum + c(v * v)), 0)).flops,
    );
    expect(mean.backward.flops(/^loss/)).toBe(counted((c) => varied(rows).map((v) => c(c(v * 2) / 3))).flops);
  });

  /** One step of a rule on one number, as in the first lines of its kernel. */
  const adam = (g: number, c: Counted, decayed: number) => {
    const m = c(c(0.9 * 0) + c(0.1 * g));
    const v = c(c(0.99 * 0) + c(c(0.01 * g) * g));
    return c(decayed - c(c(0.1 * c(m / 0.1)) / c(c(Math.sqrt(c(v / 0.01))) + 1e-8)));
  };
  const rules: readonly (readonly [string, OptimiserOptions, (p: number, g: number, c: Counted) => number])[] = [
    ["sgd", { kind: "sgd" }, (p, g, c) => c(p - c(0.1 * c(c(0.9 * 0) + c(g + c(0.01 * p)))))],
    [
      "sgd, nesterov",
      { kind: "sgd", nesterov: true },
      (p, g, c) => {
        const d = c(g + c(0.01 * p));
        return c(p - c(0.1 * c(d + c(0.9 * c(c(0.9 * 0) + d)))));
      },
    ],
    ["adam", { kind: "adam", beta2: 0.99 }, (p, g, c) => adam(c(g + c(0.01 * p)), c, p)],
    ["adamw", { kind: "adamw", beta2: 0.99 }, (p, g, c) => adam(g, c, c(p - c(0.1 * 0.01 * p)))],
    [
      "adamw, clipped",
      { kind: "adamw", beta2: 0.99, clipNorm: 1e9 },
      (p, g, c) => {
        const factored = c(g * 1);
        return adam(factored, c, c(p - c(0.1 * 0.01 * p)));
      },
    ],
  ];

  test.each(rules)("optimiser %s", async (_, options, update) => {
    const tensor = tracked(device, [9, 61]);
    const before = await tensor.read();
    const gradient = varied(tensor.size, 5);
    tensor.gradient = Tensor.from(device, gradient, tensor.shape);
    const parameter = { name: "w", tensor, kind: "vector", role: "parameter" } as const;
    const optimiser = new Optimiser([{ parameters: [parameter], rate: 0.1, decay: 0.01 }], options);
    const found = await declaredIn(device, () => optimiser.step());
    const { flops, result } = counted((c) => Array.from(before, (p, i) => update(p, gradient[i]!, c)));
    expect(found.flops(/optim\/(sgd|adam)/)).toBe(flops);
    const after = await tensor.read();
    for (let i = 0; i < after.length; i++) expect(Math.abs(after[i]! - result[i]!)).toBeLessThan(1e-4);
    if (options.clipNorm === undefined) return;
    const squares = counted((c) => gradient.reduce((sum, g) => c(sum + c(c(g * 1) ** 2)), 0));
    expect(found.flops(/squared_sum/)).toBe(squares.flops);
  });
});
