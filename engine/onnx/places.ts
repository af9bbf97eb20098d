import { gatherRows } from "../ops/gather.ts";
import { concat } from "../ops/join.ts";
import { reshape } from "../ops/shape.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { numbersFor } from "./elements.ts";
import { Value } from "./value.ts";

/** Elements from one place of each axis to the next. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = Array(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Calls `work` for every place of a shape in row-major order, with its coordinates, which change from call to call. */
export function eachPlace(shape: Shape, work: (at: readonly number[], i: number) => void): void {
  const size = sizeOf(shape);
  const at: number[] = Array(shape.length).fill(0);
  for (let i = 0; i < size; i++) {
    work(at, i);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++at[axis]! < shape[axis]!) break;
      at[axis] = 0;
    }
  }
}

/** No place: zero is put there. */
export const nowhere = 0xffffffff;

/** Source of every element of an array of `shape`, by its coordinates there; {@link nowhere} for zero. */
export function placesOf(shape: Shape, from: (at: readonly number[]) => number): Uint32Array<ArrayBuffer> {
  const places = new Uint32Array(sizeOf(shape));
  eachPlace(shape, (at, i) => {
    places[i] = from(at);
  });
  return places;
}

/**
 * An array of `shape` whose run i of `inner` elements is run `places[i]` of x: on the host where x is there, else on the
 * device.
 */
export function taken(x: Value, shape: Shape, places: Uint32Array<ArrayBuffer>, inner = 1): Value {
  if (x.movesOnHost || sizeOf(shape) === 0) {
    const numbers = x.size === 0 ? numbersFor(x.type, 0) : x.numbers();
    const result = numbersFor(x.type, places.length * inner);
    places.forEach((place, i) => {
      if (place !== nowhere) result.set(numbers.subarray(place * inner, (place + 1) * inner), i * inner);
    });
    return Value.host(x.device, x.type, shape, result);
  }
  return Value.of(x.type, takenTensor(x.tensor(), shape, places, inner));
}

/** {@link taken} of a tensor. */
export function takenTensor(x: Tensor, shape: Shape, places: Uint32Array<ArrayBuffer>, inner = 1): Tensor {
  const table = reshape(x, [x.size / inner, inner]);
  return reshape(gatherRows(table, Tensor.constant(x.device, places, [places.length])), shape);
}

/** An array of `shape` taken from several tensors one behind the other. */
export function takenOf(tensors: readonly Tensor[], shape: Shape, places: Uint32Array<ArrayBuffer>): Tensor {
  return takenTensor(concat(tensors.map((tensor) => reshape(tensor, [tensor.size]))), shape, places);
}
