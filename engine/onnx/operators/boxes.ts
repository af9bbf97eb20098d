import { relu } from "../../ops/activations.ts";
import { add, divide, multiply, subtract } from "../../ops/arithmetic.ts";
import { greater } from "../../ops/compare.ts";
import { slice } from "../../ops/join.ts";
import { reshape } from "../../ops/shape.ts";
import { topK } from "../../ops/top-k.ts";
import { scale } from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import { type Call, Continuation, type Operator, type Operators } from "../call.ts";
import { Value } from "../value.ts";
import { larger, smaller } from "./binary.ts";

/** Lowest and highest place of boxes along the vertical (0) or horizontal (1) axis, each [N, boxes]. */
function extent(call: Call, boxes: Tensor, axis: 0 | 1): readonly [low: Tensor, high: Tensor] {
  const [images, count] = boxes.shape as [number, number];
  const part = (i: number) => reshape(slice(boxes, [0, 0, i], [images, count, i + 1]), [images, count]);
  if (call.flag("center_point_box")) {
    // [x, y, width, height]
    const [middle, half] = [part(1 - axis), scale(part(3 - axis), 0.5)];
    return [subtract(middle, half), add(middle, half)];
  }
  const [from, to] = [part(axis), part(axis + 2)];
  return [smaller(from, to), larger(from, to)];
}

/** 1 where two boxes share more than `threshold` of what they cover together: [N, boxes, boxes]. */
function overlaps(call: Call, boxes: Tensor, threshold: number): Tensor {
  const [images, count] = boxes.shape as [number, number];
  const rows = (x: Tensor) => reshape(x, [images, count, 1]);
  const columns = (x: Tensor) => reshape(x, [images, 1, count]);
  const axes = ([0, 1] as const).map((axis) => extent(call, boxes, axis));
  const [height, width] = axes.map(([low, high]) => subtract(high, low)) as [Tensor, Tensor];
  const area = multiply(height, width);
  const [down, across] = axes.map(([low, high]) =>
    relu(subtract(smaller(rows(high), columns(high)), larger(rows(low), columns(low)))),
  ) as [Tensor, Tensor];
  const shared = multiply(down, across);
  const together = subtract(add(rows(area), columns(area)), shared);
  return greater(divide(shared, together), threshold);
}

/** Boxes by falling score, those left out that overlap with one that was taken: rows (image, class, box). */
const suppression: Operator = (call) => {
  const [boxes, scores] = [call.tensor(0), call.tensor(1)];
  const most = call.has(2) ? call.scalar(2) : 0;
  const overlap = Value.of("bool", overlaps(call, boxes, call.has(3) ? call.scalar(3) : 0));
  const count = boxes.shape[1]!;
  const { values, indices } = topK(scores, count);
  const order = Value.of("int64", indices);
  const least = call.has(4) ? call.scalar(4) : Number.NEGATIVE_INFINITY;
  const enough = Value.of("bool", greater(values, least));
  const [images, classes] = scores.shape as [number, number];
  const held = [overlap, order, enough];
  return new Continuation(held, held, () => {
    const [isOver, places, isEnough] = held.map((value) => value.numbers());
    const rows: number[] = [];
    for (let image = 0; image < images; image++) {
      for (let label = 0; label < classes; label++) {
        const taken: number[] = [];
        for (let rank = 0; rank < count && taken.length < most; rank++) {
          const at = (image * classes + label) * count + rank;
          const box = places![at]!;
          if (!isEnough![at] || taken.some((other) => isOver![(image * count + box) * count + other])) continue;
          taken.push(box);
          rows.push(image, label, box);
        }
      }
    }
    return call.host("int64", [rows.length / 3, 3], rows);
  });
};

export const boxOperators: Operators = { NonMaxSuppression: suppression };
