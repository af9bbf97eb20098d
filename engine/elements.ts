import { ShapeError, shown } from "./arguments.ts";
import { numberToHalf } from "./weights/half.ts";

/**
 * Element types that tensors are stored in. f16 halves memory and traffic on adapters with `shader-f16`: arithmetic and
 * sums stay f32, results keep the type of the first operand, so that a tensor cast to f16 makes a chain of f16.
 */
export type DataType = "f32" | "f16" | "u32";

/** Bytes of one element. */
export const elementBytes = { f32: 4, f16: 2, u32: 4 } as const satisfies Record<DataType, number>;

/** Lists of numbers, or of lists of them, as deep as the shape has axes. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

/** What elements can be given as; see `Tensor.from`. */
export type ElementSource =
  | NestedNumbers
  | Float32Array
  | Float64Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array
  | Float16Array;

type Elements = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** True for elements of a u32 tensor, of this realm or another. */
export function isIndices(elements: Elements): elements is Uint32Array<ArrayBuffer> {
  return elements[Symbol.toStringTag] === "Uint32Array";
}

/** Integer types of which f32 holds every value. */
const narrow = new Set(["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Float16Array"]);

/**
 * Elements for a tensor of `shape`: a Uint32Array as it is, everything else as f32. Integers that f32 does not hold exactly
 * and finite numbers beyond its range are refused; other numbers are rounded to nearest.
 * @throws ShapeError when it is no list of numbers or not of this shape, with the place of what is wrong
 */
export function elementsFor(data: unknown, shape: readonly number[]): Elements {
  const kind = ArrayBuffer.isView(data) ? Reflect.get(data, Symbol.toStringTag) : undefined;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const list = Array.isArray(data) ? flat(data, shape) : data;
  if (!Array.isArray(list) && (kind === undefined || kind === "DataView")) {
    const hint =
      list instanceof ArrayBuffer || kind === "DataView" ? "; say what its bytes are, such as a Float32Array" : "";
    throw new ShapeError(`elements are given as a typed array or a list of numbers, found ${shown(data)}${hint}`);
  }
  const given = list as ArrayLike<unknown>;
  if (given.length !== size) {
    const raw = kind === "Uint8Array" && given.length === 4 * size;
    const hint = raw ? "; bytes of f32 are given as new Float32Array(data.buffer, data.byteOffset, …)" : "";
    throw new ShapeError(`[${shape}] has ${size} elements, ${given.length} were given${hint}`);
  }
  if (kind === "Float32Array" || kind === "Uint32Array") return given as Elements;
  if (kind && narrow.has(kind)) return Float32Array.from(given as ArrayLike<number>);
  const wholes = kind !== undefined && kind !== "Float64Array";
  return Float32Array.from(given as ArrayLike<number>, (value, i) => asFloat(value, i, wholes));
}

function asFloat(value: unknown, i: number, whole: boolean): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number") throw new ShapeError(`element ${i} is ${shown(value)}, not a number`);
  const rounded = Math.fround(number);
  if (Math.abs(rounded) === Number.POSITIVE_INFINITY && Number.isFinite(number))
    throw new RangeError(`element ${i} is ${shown(value)}, beyond the range of f32 (3.4e38)`);
  const same = typeof value === "bigint" ? BigInt(number) === value : true;
  if (whole && !(rounded === number && same)) {
    throw new RangeError(
      `element ${i} is ${shown(value)}, which f32 does not hold exactly; give indices as a Uint32Array, or round first`,
    );
  }
  return rounded;
}

/** The numbers of nested lists in order. @throws ShapeError when they are not nested as the shape says */
function flat(data: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  if (!data.some(Array.isArray)) return data;
  const walk = (value: unknown, axis: number, path: string): unknown[] => {
    const isLeaf = axis === shape.length;
    if (isLeaf !== !Array.isArray(value) || (!isLeaf && (value as unknown[]).length !== shape[axis])) {
      const wanted = isLeaf ? "a number" : `a list of ${shape[axis]}`;
      throw new ShapeError(`nested elements are not of shape [${shape}]: data${path} is not ${wanted}`);
    }
    return isLeaf ? [value] : (value as unknown[]).flatMap((each, i) => walk(each, axis + 1, `${path}[${i}]`));
  };
  return walk(data, 0, "");
}

/**
 * Elements as they are stored in a tensor of type `dtype`.
 * @throws RangeError when indices are asked for and a number is no whole one from 0 to 2^32 − 1
 */
export function storedAs(
  dtype: DataType,
  elements: Elements,
): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (dtype === "f16") return Uint16Array.from(elements, numberToHalf);
  if (dtype === "u32") return isIndices(elements) ? elements : Uint32Array.from(elements, asIndex);
  return isIndices(elements) ? Float32Array.from(elements, (value, i) => asFloat(value, i, true)) : elements;
}

function asIndex(value: number, i: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new RangeError(`element ${i} is ${value}; a u32 tensor holds whole numbers from 0 to 4294967295`);
}
