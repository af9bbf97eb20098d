/** Numbers and layouts that all engines of the comparison share. Weights are given in PyTorch's order and names. */

export type Extents = readonly number[];

export function sizeOf(shape: Extents): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Uniform numbers in [−1, 1) that depend on the name and the position alone (Wellons' hash "lowbias32"). */
export function uniform(name: string, size: number): Float32Array<ArrayBuffer> {
  let seed = 0;
  for (const character of name) seed = Math.imul(seed ^ character.charCodeAt(0), 0x01000193) >>> 0;
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let word = (seed + i) >>> 0;
    word = Math.imul(word ^ (word >>> 16), 0x7feb352d);
    word = Math.imul(word ^ (word >>> 15), 0x846ca68b);
    data[i] = ((word ^ (word >>> 16)) >>> 0) / 2 ** 31 - 1;
  }
  return data;
}

/**
 * The weights of a parameter: batch and layer norms near 1 and 0, convolutions and matrices uniform with the variance
 * 2 / inputs (He et al. 2015), so that activations keep their size through a network.
 * @param shape in file order: convolutions [O, C, KH, KW], matrices [out, in]
 */
export function parameterData(name: string, shape: Extents): Float32Array<ArrayBuffer> {
  const data = uniform(name, sizeOf(shape));
  if (shape.length === 1) {
    const centre = /weight$|running_var$/.test(name) ? 1 : 0;
    return data.map((value) => centre + 0.1 * value);
  }
  if (shape.length === 3) return data.map((value) => 0.02 * value);
  const bound = Math.sqrt(6 / (sizeOf(shape) / shape[0]!));
  return data.map((value) => bound * value);
}

/** True for what gradients teach; false for the running statistics of a batch norm. */
export function isLearnt(name: string): boolean {
  return !/running_(mean|var)$/.test(name);
}

/** Axis k of the result is axis order[k] of `data`, row-major both. */
export function permuted(data: Float32Array, shape: Extents, order: Extents): Float32Array<ArrayBuffer> {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const extents = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const out = new Float32Array(data.length);
  const position = extents.map(() => 0);
  const last = extents.length - 1;
  let source = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[source]!;
    for (let axis = last; axis >= 0; axis--) {
      source += steps[axis]!;
      if (++position[axis]! < extents[axis]!) break;
      source -= steps[axis]! * extents[axis]!;
      position[axis] = 0;
    }
  }
  return out;
}

export const toChannelsFirst = [0, 3, 1, 2] as const;
export const toChannelsLast = [0, 2, 3, 1] as const;

/** File order → the order of engines with weights [KH, KW, C, O] and [in, out]. Other ranks stay. */
export function channelsLastOrder(shape: Extents): Extents {
  if (shape.length === 4) return [2, 3, 1, 0];
  return shape.length === 2 ? [1, 0] : shape.map((_, axis) => axis);
}

/** The order that undoes `order`. */
export function inverse(order: Extents): number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** The shape that {@link permuted} gives. */
export function permutedShape(shape: Extents, order: Extents): number[] {
  return order.map((axis) => shape[axis]!);
}

/** Root of the squared differences over the root of the squares of `expected`; NaN when a number is not finite. */
export function relativeError(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Number.NaN;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
}

/** Largest relative error with which a time counts. */
export const tolerance = 1e-3;
