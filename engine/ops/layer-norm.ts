import { expectArgument, extent, notNegative } from "../arguments.ts";
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

/** What is normalised together in a tensor of `pictures` times `positions` rows of channels. */
interface Groups {
  readonly channels: number;
  readonly pictures: number;
  readonly positions: number;
  /** Groups of neighbouring channels; each is normalised over the positions of a picture. */
  readonly groups: number;
}

/** Each row of the last axis alone. */
function rowsOf(x: Tensor): Groups {
  const channels = x.shape.at(-1)!;
  return { channels, pictures: x.size / channels, positions: 1, groups: 1 };
}

/** Constants and numbers by which the kernels find what is normalised together. */
function placesOf({ channels, positions, groups }: Groups, centred: boolean) {
  const width = channels / groups;
  const vector = width % 4 === 0;
  const grouped = groups > 1 || positions > 1;
  return {
    constants: { WIDTH: grouped ? width / (vector ? 4 : 1) : 0, ...(!vector && { VECTOR: false }), CENTRED: centred },
    parameters: { length: positions * width, ...(grouped && { groups }) },
    vector,
    grouped,
  };
}

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): y = scale · (x − mean)/√(variance + ε) + shift, mean
 * and biased variance of each row. x: […, C], scale and shift: [C].
 * @throws ShapeError when x holds indices, or scale or shift does not have C elements
 * @throws RangeError when epsilon is negative
 */
export function layerNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  expectNorm("layerNorm", x, { scale, shift }, epsilon);
  return normalised("layerNorm", x, rowsOf(x), scale, shift, epsilon);
}

/**
 * Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019): y = scale · x/√(mean of x² + ε). x: […, C],
 * scale: [C].
 * @throws ShapeError when x holds indices, or scale does not have C elements
 * @throws RangeError when epsilon is negative
 */
export function rmsNorm(x: Tensor, scale: Tensor, epsilon = 1e-5): Tensor {
  expectNorm("rmsNorm", x, { scale }, epsilon);
  return normalised("rmsNorm", x, rowsOf(x), scale, undefined, epsilon);
}

/**
 * Group normalisation (Wu & He 2018): y = scale · (x − mean)/√(variance + ε) + shift, mean and biased variance over all
 * positions of a picture and C / groups neighbouring channels. x: [N, …, C], scale and shift: [C].
 * @throws ShapeError when x holds indices or has no axis of pictures, the groups do not divide C, or scale or shift does not have C
 * elements
 * @throws RangeError when epsilon is negative
 */
export function groupNorm(x: Tensor, groups: number, scale: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  expectNorm("groupNorm", x, { scale, shift }, epsilon);
  expectArgument("groupNorm", "the groups", groups, extent);
  return normalised("groupNorm", x, groupsOf("groupNorm", x, groups), scale, shift, epsilon);
}

/**
 * Instance normalisation (Ulyanov et al. 2016): y = scale · (x − mean)/√(variance + ε) + shift, mean and biased variance of
 * each channel over all positions of a picture. x: [N, …, C], scale and shift: [C].
 * @throws ShapeError when x holds indices or has no axis of pictures, or scale or shift does not have C elements
 * @throws RangeError when epsilon is negative
 */
export function instanceNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  expectNorm("instanceNorm", x, { scale, shift }, epsilon);
  return normalised("instanceNorm", x, groupsOf("instanceNorm", x, x.shape.at(-1)!), scale, shift, epsilon);
}

function expectNorm(operation: string, x: Tensor, parameters: Record<string, Tensor>, epsilon: number): void {
  expectOperands(operation, { x, ...parameters });
  expectArgument(operation, "epsilon", epsilon, notNegative);
  const channels = x.shape.at(-1);
  for (const [name, tensor] of Object.entries(parameters)) {
    if (tensor.size !== channels)
      throw new ShapeError(`${operation}: ${name} has ${tensor.size} elements for ${channels} channels`);
  }
}

function groupsOf(operation: string, x: Tensor, groups: number): Groups {
  if (x.rank < 2) throw new ShapeError(`${operation} takes pictures [N, …, C], found [${x.shape}]`);
  const [pictures, channels] = [x.shape[0]!, x.shape.at(-1)!];
  if (channels % groups !== 0)
    throw new ShapeError(`${operation}: ${channels} channels cannot be put into ${groups} groups of equal size`);
  return { channels, pictures, positions: x.size / pictures / channels, groups };
}

/** y on the tape. Without a shift rows are not centred. */
function normalised(
  operation: string,
  x: Tensor,
  groups: Groups,
  scale: Tensor,
  shift: Tensor | undefined,
  epsilon: number,
): Tensor {
  const centred = shift !== undefined;
  const { y, moments } = forward(x, groups, scale, shift, epsilon);
  // dx = r · (g − mean(g) − x̂ · mean(g · x̂)), g = dy · scale, without mean(g) where nothing is centred
  // dscale = Σ dy · x̂    dshift = Σ dy    over all rows
  const options = { epsilon, ...(groups.positions > 1 || groups.groups > 1 ? { groups: groups.groups } : {}) };
  return record([operation, options], shift ? [x, scale, shift] : [x, scale], y, (dy) => {
    const dx = x.tracked ? inputGradient(x, dy, groups, scale, moments, centred) : undefined;
    if (!scale.tracked && !shift?.tracked) return [dx];
    const [dscale, dshift] = parameterGradients(x, dy, groups, moments);
    if (centred) return [dx, dscale, dshift];
    dshift.dispose();
    return [dx, dscale];
  });
}

function forward(x: Tensor, groups: Groups, scale: Tensor, shift: Tensor | undefined, epsilon: number) {
  const { constants, parameters } = placesOf(groups, shift !== undefined);
  const y = Tensor.like(x);
  const moments = Tensor.empty(x.device, [groups.pictures * groups.groups, 2]);
  const tensors = {
    rows: { x, y },
    beside: { moments: [moments, 2] as const },
    whole: { scale, ...(shift && { shift }) },
    together: groups.groups,
  };
  // Σ x, Σ (x − mean)², and scale · (x − mean) · inverse + shift; or Σ x² and scale · x · inverse
  const flops = shift ? 8 : 4;
  overRows("layer_norm/rows", constants, parameters.length, tensors, () => ({ ...parameters, epsilon }), flops);
  return { y, moments };
}

function inputGradient(
  x: Tensor,
  dy: Tensor,
  groups: Groups,
  scale: Tensor,
  moments: Tensor,
  centred: boolean,
): Tensor {
  const { constants, parameters } = placesOf(groups, centred);
  const dx = Tensor.like(x);
  const tensors = {
    rows: { x, dy, dx },
    beside: { moments: [moments, 2] as const },
    whole: { scale },
    together: groups.groups,
  };
  // g = dy · scale, x̂ = (x − m) · r, Σ g and Σ g · x̂, and r · (g − mean − x̂ · mean)
  overRows("layer_norm/rows_gradient", constants, parameters.length, tensors, () => parameters, 10);
  return dx;
}

/** (dscale, dshift), each [C]: sums of blocks of rows, then of the blocks in order. */
function parameterGradients(x: Tensor, dy: Tensor, groups: Groups, moments: Tensor): [Tensor, Tensor] {
  const { device } = x;
  const { channels, pictures, positions } = groups;
  const picture = positions * channels;
  const statistics = 2 * groups.groups;
  if (pictures > 1 && !canCut(device, pictures, [picture, statistics])) return gradientsApart(x, dy, groups, moments);
  const ranges = rowRanges(device, pictures, [picture, statistics]);
  const blocksOf = (count: number) => Math.ceil((count * positions) / block);
  const blocks = ranges.reduce((total, { count }) => total + blocksOf(count), 0);
  const { constants, vector, grouped } = placesOf(groups, true);
  const dscale = Tensor.empty(device, [blocks, channels]);
  const dshift = Tensor.empty(device, [blocks, channels]);
  const columns = vector ? channels / 4 : channels;
  let firstBlock = 0;
  for (const { start, count } of ranges) {
    device.kernels.run(
      "layer_norm/parameter_gradient",
      { BLOCK: block, VECTOR: vector, WIDTH: constants.WIDTH, WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * picture, count * picture),
        dy: dy.window(start * picture, count * picture),
        moments: moments.window(start * statistics, count * statistics),
        dscale: dscale.window(),
        dshift: dshift.window(),
      },
      {
        rows: count * positions,
        columns,
        first_block: firstBlock,
        ...(grouped && { positions, groups: groups.groups }),
      },
      flatGrid(device, blocksOf(count) * columns),
      // x̂ = (x − m) · r, Σ dy · x̂ and Σ dy
      { flops: 5 * count * picture },
    );
    firstBlock += blocksOf(count);
  }
  return [sumParts(dscale, [channels]), sumParts(dshift, [channels])];
}

/** {@link parameterGradients} over pictures that start where no window can. */
function gradientsApart(x: Tensor, dy: Tensor, groups: Groups, moments: Tensor): [Tensor, Tensor] {
  const { device } = x;
  const { channels, pictures, positions } = groups;
  const picture = positions * channels;
  let [dscale, dshift] = [Tensor.zeros(device, [channels]), Tensor.zeros(device, [channels])];
  for (let i = 0; i < pictures; i++) {
    using ownX = apart(x, i * picture, [picture]);
    using ownDy = apart(dy, i * picture, [picture]);
    using ownMoments = apart(moments, i * 2 * groups.groups, [2 * groups.groups]);
    const [ofScale, ofShift] = parameterGradients(ownX, ownDy, { ...groups, pictures: 1 }, ownMoments);
    [dscale, dshift] = [addInto(dscale, ofScale), addInto(dshift, ofShift)];
    for (const temporary of [ofScale, ofShift]) temporary.dispose();
  }
  return [dscale, dshift];
}
