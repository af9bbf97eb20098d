import { axisOf, expectArgument, oneOf, ShapeError } from "../arguments.ts";
import { isWhole } from "../elements.ts";
import { flatGrid, flatWorkgroup, rowRanges, runsOf } from "../kernel/grid.ts";
import { Tensor } from "../tensor.ts";
import { add, divide, maximum, multiply } from "./arithmetic.ts";
import { equal, logicalAnd, where } from "./compare.ts";
import { invert, rowsOf, scatterAdd } from "./gather.ts";
import { elementPlaces, recordPlaces, tuplePlaces } from "./gather-axis.ts";
import { expectSameShape, expectTensors, moved, movedElement, wholes } from "./operands.ts";

/** What becomes of an element that several updates meet: the last of them, or all of them in order. */
export type ScatterReduction = "none" | "add" | "multiply" | "max" | "min";

const reductions = oneOf("none", "add", "multiply", "max", "min");

/**
 * Rows of x [rows, columns] with updates [places, columns] put to them, in the order of the updates; without updates those rows are 0.
 * Not recorded.
 */
function scattered(
  x: Tensor,
  updates: Tensor | undefined,
  places: Tensor,
  rows: number,
  reduce: ScatterReduction | "clear",
): Tensor {
  const { device } = x;
  const columns = x.size / rows;
  const y = Tensor.like(x);
  const { starts, places: order } = invert(places, rows);
  const element = reduce === "none" || reduce === "clear" ? movedElement(x, false) : isWhole(x.dtype) ? x.dtype : "f32";
  for (const { start, count } of rowRanges(device, rows, [columns])) {
    const runs = updates ? runsOf(device, places.size, [columns]) : [{ start: 0, count: places.size }];
    for (const run of runs) {
      device.kernels.run(
        "gather/scatter",
        { REDUCE: reduce, FIRST: run.start === 0, ELEMENT: element, WORKGROUP: flatWorkgroup },
        {
          x: x.window(start * columns, count * columns),
          ...(updates && { updates: updates.window(run.start * columns, run.count * columns) }),
          starts: starts.window(),
          places: order.window(),
          y: y.window(start * columns, count * columns),
        },
        { rows: count, columns, first_row: start, first_place: run.start, place_count: run.count },
        flatGrid(device, count * columns),
        reduce === "none" || reduce === "clear" ? undefined : { flops: run.count * columns * (count / rows) },
      );
    }
  }
  for (const temporary of [starts, order]) temporary.dispose();
  return y;
}

/** The places of updates that no later one replaces, 2^32 − 1 for the others. Not recorded. */
function winnersOf(places: Tensor, rows: number): Tensor {
  const { device } = places;
  const { starts, places: order } = invert(places, rows);
  const winners = Tensor.like(places);
  device.kernels.run(
    "gather/winners",
    { WORKGROUP: flatWorkgroup },
    { targets: places.window(), starts: starts.window(), order: order.window(), winners: winners.window() },
    { count: places.size, rows },
    flatGrid(device, places.size),
  );
  for (const temporary of [starts, order]) temporary.dispose();
  return winners;
}

function recorded(
  operation: string,
  x: Tensor,
  updates: Tensor,
  places: Tensor,
  [rows, columns]: readonly [number, number],
  reduce: ScatterReduction,
): Tensor {
  const y = scattered(x, updates, places, rows, reduce);
  // add: dx = dy, dupdates[i] = dy[place i].   none: the same without what was replaced.
  return recordPlaces(operation, [x, updates], y, places, (dy) => {
    const grouped = { x, updates, y, places, rows, columns };
    if (reduce === "multiply") return productGradient(grouped, dy);
    if (reduce === "max" || reduce === "min") return extremeGradient(grouped, dy);
    const from = updates.tracked && reduce === "none" ? winnersOf(places, rows) : places;
    return [
      x.tracked ? (reduce === "add" ? dy.alias() : scattered(dy, undefined, places, rows, "clear")) : undefined,
      updates.tracked ? rowsOf(dy.alias([rows, columns]), from).alias(updates.shape) : undefined,
    ];
  });
}

/** What an update of rows was made of, and what it gave. */
interface Grouped {
  readonly x: Tensor;
  readonly updates: Tensor;
  readonly y: Tensor;
  readonly places: Tensor;
  readonly rows: number;
  readonly columns: number;
}

/** What lies at the places of the updates: of the shape of these, 0 outside. */
function shownTo({ updates, places, rows, columns }: Grouped, t: Tensor): Tensor {
  return rowsOf(t.alias([rows, columns]), places).alias(updates.shape);
}

/** What comes together at each element of x. */
function gathered({ x, places, rows, columns }: Grouped, t: Tensor): Tensor {
  return scatterAdd(t.alias([places.size, columns]), places, [rows, columns]).alias(x.shape);
}

// dx = dy / count where x is the extreme, dupdates likewise; count: how many are, x and updates together
function extremeGradient(grouped: Grouped, dy: Tensor): Tensor[] {
  const { x, updates, y } = grouped;
  const own = equal(x, y);
  const met = equal(updates, shownTo(grouped, y));
  const share = divide(dy, maximum(add(own, gathered(grouped, met)), 1));
  return [multiply(own, share), multiply(met, shownTo(grouped, share))];
}

// dx = dy · Π updates    dupdates[i] = dy · x · Π updates but i: a quotient where nothing is 0; where one update alone is, the product
// without it; where several are, 0
function productGradient(grouped: Grouped, dy: Tensor): Tensor[] {
  const { x, updates, y, places, rows } = grouped;
  const ones = where(equal(x, x), 1, 1);
  const dx = multiply(dy, scattered(ones, updates, places, rows, "multiply"));
  const zero = equal(updates, 0);
  const alone = logicalAnd(zero, equal(shownTo(grouped, gathered(grouped, zero)), 1));
  const others = scattered(x, where(alone, 1, updates), places, rows, "multiply");
  const quotient = divide(shownTo(grouped, multiply(dy, y)), where(zero, 1, updates));
  return [dx, where(alone, shownTo(grouped, multiply(dy, others)), quotient)];
}

function expectScatter(operation: string, x: Tensor, indices: Tensor, updates: Tensor, reduce: ScatterReduction): void {
  expectArgument(operation, "reduce", reduce, reductions);
  expectTensors(operation, { x, indices, updates }, { x: moved, indices: wholes, updates: moved });
  if (x.dtype !== updates.dtype)
    throw new ShapeError(`${operation}: updates of ${updates.dtype} for a tensor of ${x.dtype}; cast one of them`);
}

/**
 * x with elements along an axis replaced or added to, as `torch.scatter` and ONNX's ScatterElements: y[indices[i, j], j] = updates[i, j]
 * along axis 0. x: any type, indices: u32 or i32 of as many axes, no longer except along the axis; updates: the shape
 * of the indices and the type of x → the shape of x. Of several updates of one element the last stays, or all are taken in order: the
 * bits are the same every time. Indices as in `gather`; one outside writes nothing.
 * @param reduce what an update does: `none` replaces, others combine. Equal extremes share the gradient, that of x among them
 * @throws ShapeError when the axis, the shapes or types do not fit
 */
export function scatterElements(
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  axis = 0,
  reduce: ScatterReduction = "none",
): Tensor {
  expectScatter("scatterElements", x, indices, updates, reduce);
  expectSameShape("scatterElements", indices, updates);
  const places = elementPlaces("scatterElements", x, indices, axisOf("scatterElements", x.shape, axis));
  return recorded("scatterElements", x, updates, places, [x.size, 1], reduce);
}

/**
 * x with parts replaced or added to by tuples of indices, as ONNX's ScatterND: y[indices[i…, 0], indices[i…, 1], …] = updates[i…]. x: any
 * type, indices: u32 or i32 […, K], updates: […, the axes of x behind K] of the type of x → the shape of x. Order,
 * indices and gradients as in {@link scatterElements}.
 * @throws ShapeError when the shapes or types do not fit
 */
export function scatterNd(x: Tensor, indices: Tensor, updates: Tensor, reduce: ScatterReduction = "none"): Tensor {
  expectScatter("scatterNd", x, indices, updates, reduce);
  const { places, rows, columns, shape } = tuplePlaces("scatterNd", x, indices, 0);
  if (
    updates.size !== shape.reduce((product, extent) => product * extent, 1) ||
    updates.shape.some((n, d) => n !== (shape[d] ?? 1))
  )
    throw new ShapeError(`scatterNd: updates [${updates.shape}] must be of shape [${shape}]`);
  return recorded("scatterNd", x, updates, places, [rows, columns], reduce);
}
