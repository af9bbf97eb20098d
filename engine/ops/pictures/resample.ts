import { expectArgument, extent } from "../../arguments.ts";
import { record } from "../../autograd.ts";
import type { Device } from "../../device/device.ts";
import { flatGrid, flatWorkgroup, greatestCommonDivisor, rowRanges } from "../../kernel/grid.ts";
import { elementBytes, ShapeError, sizeOf, Tensor } from "../../tensor.ts";
import { batchShape } from "../batch.ts";

/** A linear map along one axis: output i is Σ_t weights[i][t] · input[first[i] + t]. */
export interface Resampling {
  readonly inputs: number;
  readonly first: readonly number[];
  readonly weights: readonly (readonly number[])[];
}

/** A kind of map for any two extents. */
export interface Filter {
  /** Tables are kept under this name and the extents. */
  readonly name: string;
  readonly map: (inputs: number, outputs: number, axis: 1 | 2) => Resampling;
  /** Whether an axis that keeps its extent changes all the same; false unless given. */
  readonly moves?: boolean;
}

/**
 * Bilinear resampling with a filter that widens as the picture shrinks, as Pillow and torchvision do it: output i looks
 * at x around c = (i + ½) s, s = inputs / outputs, with weights ∝ max(0, 1 − |x + ½ − c| / max(s, 1)) that sum to 1.
 */
export function antialiased(inputs: number, outputs: number): Resampling {
  const scale = inputs / outputs;
  const support = Math.max(scale, 1);
  return resampling(inputs, outputs, (i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inputs, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: end - first }, (_, t) =>
      Math.max(0, 1 - Math.abs(first + t + 0.5 - center) / support),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** Linear interpolation between the two inputs next to c = (i + ½) · inputs / outputs − ½, ends held. */
export function interpolated(inputs: number, outputs: number): Resampling {
  return resampling(inputs, outputs, (i) => {
    const center = Math.max(0, ((i + 0.5) * inputs) / outputs - 0.5);
    const first = Math.min(Math.floor(center), inputs - 1);
    const share = center - first;
    return { first, weights: first + 1 < inputs ? [1 - share, share] : [1] };
  });
}

/** Linear interpolation at c = i · (inputs − 1) / (outputs − 1): the first and the last keep their places. One output is the first input. */
export function cornersAligned(inputs: number, outputs: number): Resampling {
  return resampling(inputs, outputs, (i) => {
    const center = outputs > 1 ? (i * (inputs - 1)) / (outputs - 1) : 0;
    const first = Math.min(Math.floor(center), inputs - 1);
    const share = center - first;
    return { first, weights: first + 1 < inputs ? [1 - share, share] : [1] };
  });
}

/** A map given by its rows. */
export function resampling(
  inputs: number,
  outputs: number,
  row: (i: number) => { first: number; weights: number[] },
): Resampling {
  const rows = Array.from({ length: outputs }, (_, i) => row(i));
  return { inputs, first: rows.map(({ first }) => first), weights: rows.map(({ weights }) => weights) };
}

/** The transposed map. Spans start and end in order, so the outputs that look at one input are neighbours as well. */
export function transposed(map: Resampling): Resampling {
  const first: number[] = Array(map.inputs).fill(0);
  const weights: number[][] = Array.from({ length: map.inputs }, () => []);
  map.weights.forEach((row, i) => {
    row.forEach((weight, t) => {
      const column = map.first[i]! + t;
      if (weights[column]!.length === 0) first[column] = i;
      weights[column]!.push(weight);
    });
  });
  return { inputs: map.first.length, first, weights };
}

/** A map as the kernel reads it. */
interface Table {
  readonly spans: Tensor;
  readonly weights: Tensor;
  readonly taps: number;
  /** Inputs that each output looks at: from `first` to before `end`, both rising. */
  readonly first: readonly number[];
  readonly end: readonly number[];
  readonly outputs: number;
  /** Weights in all spans together. */
  readonly entries: number;
  /** Inputs that some span holds. */
  readonly looked: number;
}

/** Tables kept for each device; the oldest makes room. */
const tableLimit = 64;
const tables = new WeakMap<Device, Map<string, Table>>();

function uploadTable(device: Device, { first, weights }: Resampling): Table {
  const outputs = first.length;
  const taps = Math.max(...weights.map((row) => row.length));
  const spans = new Uint32Array(2 * outputs);
  const flat = new Float32Array(taps * outputs);
  weights.forEach((row, i) => {
    spans.set([first[i]!, row.length], 2 * i);
    flat.set(row, taps * i);
  });
  return {
    spans: Tensor.constant(device, spans, [outputs, 2]).keep(),
    weights: Tensor.constant(device, flat, [outputs, taps]).keep(),
    taps,
    ...looksOf(first, weights),
    outputs,
    entries: weights.reduce((sum, row) => sum + row.length, 0),
    looked: new Set(weights.flatMap((row, i) => row.map((_, t) => first[i]! + t))).size,
  };
}

/** Where each output looks; one that looks nowhere, as its neighbours do. */
function looksOf(first: readonly number[], weights: readonly (readonly number[])[]) {
  const starts = first.slice();
  const end = first.map((start, i) => start + weights[i]!.length);
  for (let i = 0; i < first.length; i++) if (weights[i]!.length === 0) end[i] = end[i - 1] ?? 0;
  for (let i = first.length - 1; i >= 0; i--) if (weights[i]!.length === 0) starts[i] = starts[i + 1] ?? end[i]!;
  return { first: starts, end };
}

function cachedTable(device: Device, key: string, make: () => Resampling): Table {
  let kept = tables.get(device);
  if (!kept) {
    kept = new Map();
    tables.set(device, kept);
  }
  let table = kept.get(key);
  // One made in a rehearsal is gone.
  if (!table || table.spans.disposed) {
    const [oldest] = kept;
    if (oldest && kept.size >= tableLimit) {
      oldest[1].spans.dispose();
      oldest[1].weights.dispose();
      kept.delete(oldest[0]);
    }
    table = device.owned("resampling", () => uploadTable(device, make()));
    kept.set(key, table);
  }
  return table;
}

/** An axis of [N, H, W, C] and its new extent. */
interface AxisStep {
  readonly axis: 1 | 2;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * Both axes of maps [N, H, W, C] through a filter → [N, height, width, C]; an axis that keeps its extent stays as it is.
 * @throws ShapeError when height or width is not a whole number of at least 1
 */
export function resample(
  operation: string,
  x: Tensor,
  { height, width }: { readonly height: number; readonly width: number },
  filter: Filter,
): Tensor {
  const [, inHeight, inWidth, channels] = batchShape(operation, x);
  expectArgument(operation, "the height", height, extent);
  expectArgument(operation, "the width", width, extent);
  const vertical = { axis: 1, inputs: inHeight, outputs: height } as const;
  const horizontal = { axis: 2, inputs: inWidth, outputs: width } as const;
  // Lines are long runs of vec4s, so heights go first; but a picture that no binding holds is only cut between lines.
  const fits = inHeight * inWidth * channels * 4 <= x.device.maximumBindingBytes;
  const passes = (fits ? [vertical, horizontal] : [horizontal, vertical]).filter(
    (pass) => filter.moves || pass.inputs !== pass.outputs,
  );
  const through = (map: Tensor, order: readonly AxisStep[], backward: boolean) =>
    map.device.scope(() => order.reduce((half, step) => resampleAxis(half, step, filter, backward), map.alias()));
  const maps = passes.map((step) => ({ ...step, map: () => filter.map(step.inputs, step.outputs, step.axis) }));
  // y = R_w R_h x    dx = R_hᵀ R_wᵀ dy
  return record([operation, { maps }], [x], through(x, passes, false), (dy) => [
    through(dy, passes.toReversed(), true),
  ]);
}

/** Parameters of what is not a band. */
const whole = { first_output: 0, x_shift: 0, y_first: 0 };

/**
 * One image of which an axis does not fit a binding, as many outputs at a time as do with the inputs they look at. Every output
 * is the same sum as in one piece.
 * @throws ShapeError when one output does not fit with its inputs
 */
function resampleInBands(x: Tensor, y: Tensor, table: Table, image: number, length: number, inner: number): void {
  const { device } = x;
  const bytes = elementBytes[x.dtype];
  const alignment = device.offsetAlignment;
  const step = alignment / greatestCommonDivisor(inner * bytes, alignment);
  const aligned = (row: number) => Math.floor(row / step) * step;
  const most = Math.floor((device.maximumBindingBytes - 12) / (inner * 4));
  const vector = inner % 4 === 0;
  for (let from = 0; from < table.outputs; ) {
    const xStart = aligned(image * length + table.first[from]!);
    const yStart = aligned(image * table.outputs + from);
    const fits = (output: number) =>
      image * length + table.end[output]! - xStart <= most && image * table.outputs + output + 1 - yStart <= most;
    let to = from;
    while (to < table.outputs && fits(to)) to++;
    if (to === from)
      throw new ShapeError(
        `a row of ${inner} elements, made of ${table.end[from]! - table.first[from]!} others, does not fit one binding of ${device.maximumBindingBytes} bytes on this adapter`,
      );
    const xRows = Math.max(1, image * length + table.end[to - 1]! - xStart);
    const yRows = image * table.outputs + to - yStart;
    const width = vector ? inner / 4 : inner;
    device.kernels.run(
      "image/resample",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: x.window(xStart * inner, xRows * inner),
        spans: table.spans.window(),
        weights: table.weights.window(),
        y: y.window(yStart * inner, yRows * inner),
      },
      {
        outer: 1,
        length,
        out_length: to - from,
        inner: width,
        taps: table.taps,
        first_output: from,
        x_shift: image * length - xStart,
        y_first: image * table.outputs + from - yStart,
      },
      flatGrid(device, (to - from) * width),
      { flops: 2 * (table.entries / table.outputs) * (to - from) * inner },
    );
    from = to;
  }
}

/** One axis of x: [N, H, W, C] through a filter, or through the transposed map. Not recorded. */
function resampleAxis(x: Tensor, { axis, inputs, outputs }: AxisStep, filter: Filter, backward: boolean): Tensor {
  const { device } = x;
  const table = cachedTable(device, `${filter.name}-${axis}-${inputs}-${outputs}-${backward}`, () => {
    const map = filter.map(inputs, outputs, axis);
    return backward ? transposed(map) : map;
  });
  const shape = x.shape.with(axis, table.outputs);
  const y = Tensor.like(x, shape);
  const inner = sizeOf(shape.slice(axis + 1));
  const vector = inner % 4 === 0;
  const width = vector ? inner / 4 : inner;
  const length = x.shape[axis]!;
  const [inLine, outLine] = [length * inner, table.outputs * inner];
  const lines = sizeOf(shape.slice(0, axis));
  if (Math.max(inLine, outLine) * 4 + 12 > device.maximumBindingBytes) {
    for (let line = 0; line < lines; line++) resampleInBands(x, y, table, line, length, inner);
    return y;
  }
  for (const { start, count } of rowRanges(device, lines, [inLine, outLine])) {
    device.kernels.run(
      "image/resample",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * inLine, count * inLine),
        spans: table.spans.window(),
        weights: table.weights.window(),
        y: y.window(start * outLine, count * outLine),
      },
      { outer: count, length, out_length: table.outputs, inner: width, taps: table.taps, ...whole },
      flatGrid(device, count * table.outputs * width),
      {
        flops: 2 * count * table.entries * inner,
        bytes:
          elementBytes[x.dtype] * count * (table.looked + table.outputs) * inner +
          table.spans.sizeBytes +
          4 * table.entries,
      },
    );
  }
  return y;
}
