import { expectArgument, notNegative } from "../arguments.ts";
import { record } from "../autograd.ts";
import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { addInto } from "./add-into.ts";
import { expectOperands } from "./operands.ts";
import { overRows } from "./over-rows.ts";
import { sumParts } from "./reduce.ts";
import { apart } from "./rows-apart.ts";

/** Rows that one invocation adds up for the gradients of scale and shift. */
const block = 64;

/** How kernels see x: rows of channels, counted in vec4s where possible. */
function layout(x: Tensor) {
  const channels = x.shape.at(-1)!;
  const vector = channels % 4 === 0;
  return { channels, rows: x.size / channels, columns: vector ? channels / 4 : channels, vector };
}

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): y = scale · (x − mean)/√(variance + ε) + shift, mean
 * and biased variance of each row. x: […, C], scale and shift: [C].
 * @throws ShapeError when x is not f32, or scale or shift does not have C elements
 * @throws RangeError when epsilon is negative
 */
export function layerNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  expectOperands("layerNorm", { x, scale, shift });
  expectArgument("layerNorm", "epsilon", epsilon, notNegative);
  const { channels } = layout(x);
  for (const [name, tensor] of Object.entries({ scale, shift })) {
    if (tensor.size !== channels) {
      throw new ShapeError(`layerNorm: ${name} has ${tensor.size} elements for ${channels} channels`);
    }
  }
  const { y, moments } = forward(x, scale, shift, epsilon);
  // dx = r · (g − mean(g) − x̂ · mean(g · x̂)), g = dy · scale    dscale = Σ dy · x̂    dshift = Σ dy    over all rows
  return record(["layerNorm", { epsilon }], [x, scale, shift], y, (dy) => [
    x.tracked ? inputGradient(x, dy, scale, moments) : undefined,
    ...(scale.tracked || shift.tracked ? parameterGradients(x, dy, moments) : []),
  ]);
}

function forward(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): { y: Tensor; moments: Tensor } {
  const { channels, rows } = layout(x);
  const y = Tensor.like(x);
  const moments = Tensor.empty(x.device, [rows, 2]);
  const tensors = { rows: { x, y }, beside: { moments: [moments, 2] as const }, whole: { scale, shift } };
  // Σ x, Σ (x − mean)², and scale · (x − mean) · inverse + shift
  overRows("layer_norm/rows", {}, channels, tensors, () => ({ length: channels, epsilon }), 8);
  return { y, moments };
}

function inputGradient(x: Tensor, dy: Tensor, scale: Tensor, moments: Tensor): Tensor {
  const { channels } = layout(x);
  const dx = Tensor.like(x);
  const tensors = { rows: { x, dy, dx }, beside: { moments: [moments, 2] as const }, whole: { scale } };
  // g = dy · scale, x̂ = (x − m) · r, Σ g and Σ g · x̂, and r · (g − mean − x̂ · mean)
  overRows("layer_norm/rows_gradient", {}, channels, tensors, () => ({ length: channels }), 10);
  return dx;
}

/** (dscale, dshift), each [C]: sums of blocks of rows, then of the blocks in order. */
function parameterGradients(x: Tensor, dy: Tensor, moments: Tensor): [Tensor, Tensor] {
  const { device } = x;
  const { channels, rows, columns, vector } = layout(x);
  if (rows > 1 && !canCut(device, rows, [channels, 2])) return gradientsApart(x, dy, moments);
  const ranges = rowRanges(device, rows, [channels, 2]);
  const blocks = ranges.reduce((total, { count }) => total + Math.ceil(count / block), 0);
  const dscale = Tensor.empty(device, [blocks, channels]);
  const dshift = Tensor.empty(device, [blocks, channels]);
  let firstBlock = 0;
  for (const { start, count } of ranges) {
    device.kernels.run(
      "layer_norm/parameter_gradient",
      { BLOCK: block, VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * channels, count * channels),
        dy: dy.window(start * channels, count * channels),
        moments: moments.window(start * 2, count * 2),
        dscale: dscale.window(),
        dshift: dshift.window(),
      },
      { rows: count, columns, first_block: firstBlock },
      flatGrid(device, Math.ceil(count / block) * columns),
      // x̂ = (x − m) · r, Σ dy · x̂ and Σ dy
      { flops: 5 * count * channels },
    );
    firstBlock += Math.ceil(count / block);
  }
  return [sumParts(dscale, [channels]), sumParts(dshift, [channels])];
}

/** {@link parameterGradients} over rows that start where no window can. */
function gradientsApart(x: Tensor, dy: Tensor, moments: Tensor): [Tensor, Tensor] {
  const { device } = x;
  const { channels, rows } = layout(x);
  let [dscale, dshift] = [Tensor.zeros(device, [channels]), Tensor.zeros(device, [channels])];
  for (let row = 0; row < rows; row++) {
    using ownX = apart(x, row * channels, [channels]);
    using ownDy = apart(dy, row * channels, [channels]);
    using ownMoments = apart(moments, row * 2, [2]);
    const [ofScale, ofShift] = parameterGradients(ownX, ownDy, ownMoments);
    [dscale, dshift] = [addInto(dscale, ofScale), addInto(dshift, ofShift)];
    for (const temporary of [ofScale, ofShift]) temporary.dispose();
  }
  return [dscale, dshift];
}
