import { add, multiply, remainder, subtract } from "../../ops/arithmetic.ts";
import { greater, where } from "../../ops/compare.ts";
import { slice } from "../../ops/join.ts";
import { reshape } from "../../ops/shape.ts";
import { abs, clamp, floor, round, scale } from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import { Continuation, type Operator, type Operators } from "../call.ts";
import { nowhere, takenTensor } from "../places.ts";
import { Value } from "../value.ts";

/** Keys' constant, as PyTorch takes it. */
const cubicConstant = -0.75;

interface Manner {
  readonly mode: string;
  readonly padding: string;
  readonly aligned: boolean;
}

/** Places in an axis of `extent` from −1 to 1, brought inside by the manner of padding. */
function unnormalised(grid: Tensor, extent: number, { mode, padding, aligned }: Manner): Tensor {
  const at = aligned ? scale(add(grid, 1), (extent - 1) / 2) : scale(add(scale(add(grid, 1), extent), -1), 0.5);
  if (padding === "zeros" || mode.endsWith("cubic")) return at;
  if (padding === "border") return clamp(at, 0, extent - 1);
  const [low, high] = aligned ? [0, extent - 1] : [-0.5, extent - 0.5];
  const span = high - low;
  if (span === 0) return scale(at, 0);
  const along = remainder(abs(add(at, -low)), 2 * span);
  const folded = where(greater(along, span), add(scale(along, -1), 2 * span), along);
  return clamp(add(folded, low), 0, extent - 1);
}

/** The place that stands for one outside of an axis; undefined for zero. */
function inside(at: number, extent: number, { padding, aligned }: Manner): number | undefined {
  if (at >= 0 && at < extent) return at;
  if (padding === "zeros") return undefined;
  if (padding === "border") return at < 0 ? 0 : extent - 1;
  const period = aligned ? Math.max(1, 2 * (extent - 1)) : 2 * extent;
  const along = ((at % period) + period) % period;
  if (along < extent) return along;
  return aligned ? period - along : period - 1 - along;
}

/** Weights of taps first, first + 1, … for a share of the way from tap 0 to tap 1. */
function weights(share: Tensor, mode: string): { first: number; weights: Tensor[] } {
  if (!mode.endsWith("cubic")) return { first: 0, weights: [add(scale(share, -1), 1), share] };
  const a = cubicConstant;
  const near = (d: Tensor) => add(multiply(multiply(add(scale(d, a + 2), -(a + 3)), d), d), 1);
  const far = (d: Tensor) => scale(add(multiply(add(multiply(add(d, -5), d), 8), d), -4), a);
  const rest = add(scale(share, -1), 1);
  return { first: -1, weights: [far(add(share, 1)), near(share), near(rest), far(add(rest, 1))] };
}

/** Values of maps x [N, C, H, W] at places of a grid [N, H', W', 2] → [N, C, H', W']. */
const gridSample: Operator = (call) => {
  const [x, grid] = [call.value(0), call.value(1)];
  if (x.rank !== 4) throw call.unsupported(`a map of ${x.rank - 2} axes`);
  const manner: Manner = {
    mode: call.text("mode", "bilinear"),
    padding: call.text("padding_mode", "zeros"),
    aligned: call.flag("align_corners"),
  };
  const [images, rows, columns] = grid.shape as [number, number, number];
  const [height, width] = x.shape.slice(2) as [number, number];
  const count = images * rows * columns;
  const part = (i: number) => reshape(slice(reshape(grid.tensor(), [count, 2]), [0, i], [count, i + 1]), [count]);
  const places = [unnormalised(part(1), height, manner), unnormalised(part(0), width, manner)] as const;
  const whole = places.map((place) => (manner.mode === "nearest" ? round(place) : floor(place)));
  // Which pixels are looked at is counted on the host, how much of each on the device.
  const held = [...whole, ...places].map((tensor) => Value.of("float32", tensor));
  return new Continuation(held, held.slice(0, 2), () => sampled(x, held, manner, [images, rows, columns]));
};

function sampled(x: Value, held: readonly Value[], manner: Manner, shape: readonly number[]): Value {
  const [rows, columns] = held.slice(0, 2).map((value) => value.numbers());
  const count = rows!.length;
  const [channels, height, width] = x.shape.slice(1) as [number, number, number];
  const perImage = count / shape[0]!;
  const at = (dy: number, dx: number) =>
    Uint32Array.from({ length: count }, (_, i) => {
      const row = inside(rows![i]! + dy, height, manner);
      const column = inside(columns![i]! + dx, width, manner);
      if (row === undefined || column === undefined) return nowhere;
      return (Math.floor(i / perImage) * height + row) * width + column;
    });
  const pixels = (dy: number, dx: number) => takenTensor(x.channelsLast(), [count, channels], at(dy, dx), channels);
  let y: Tensor | undefined;
  if (manner.mode === "nearest") y = pixels(0, 0);
  else {
    const share = (i: number) => reshape(subtract(held[i + 2]!.tensor(), held[i]!.tensor()), [count, 1]);
    const [vertical, horizontal] = [weights(share(0), manner.mode), weights(share(1), manner.mode)];
    vertical.weights.forEach((down, i) => {
      horizontal.weights.forEach((across, j) => {
        const tap = multiply(pixels(vertical.first + i, horizontal.first + j), multiply(down, across));
        y = y ? add(y, tap) : tap;
      });
    });
  }
  return Value.channelsLast(x.type, reshape(y!, [...shape, channels]));
}

export const sampleOperators: Operators = { GridSample: gridSample };
