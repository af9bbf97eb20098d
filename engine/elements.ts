import { ShapeError, shown } from "./arguments.ts";
import { numberToHalf } from "./weights/half.ts";

/**
 * Element types that tensors are stored in. f16 halves memory and traffic on adapters with `shader-f16`: arithmetic and
 * sums stay f32, results keep the type of the first operand, so that a tensor cast to f16 makes a chain of f16. u32 and i32 hold
 * whole numbers; what is added and multiplied of them is so modulo 2^32. u8 holds those of pictures and masks, four in a word.
 */
export type DataType = "f32" | "f16" | "u32" | "i32" | "u8";

/** Bytes of one element. */
export const elementBytes = { f32: 4, f16: 2, u32: 4, i32: 4, u8: 1 } as const satisfies Record<DataType, number>;

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

/** Elements as they lie in a tensor of their type. */
interface Stored {
  readonly dtype: DataType;
  readonly elements:
    | Float32Array<ArrayBuffer>
    | Uint16Array<ArrayBuffer>
    | Uint32Array<ArrayBuffer>
    | Int32Array<ArrayBuffer>
    | Uint8Array<ArrayBuffer>;
}

/** Integer types of which f32 holds every value. */
const narrow = new Set(["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Float16Array"]);

/** The arrays that lie in a tensor of whole numbers as they are, and what such a tensor holds. */
const wholes = {
  u32: { array: Uint32Array, least: 0, most: 2 ** 32 - 1 },
  i32: { array: Int32Array, least: -(2 ** 31), most: 2 ** 31 - 1 },
  u8: { array: Uint8Array, least: 0, most: 255 },
} as const;

/** Whether a tensor of a type holds whole numbers alone. */
export function isWhole(dtype: DataType): dtype is keyof typeof wholes {
  return Object.hasOwn(wholes, dtype);
}

/** The whole numbers that a type holds. */
export function wholeRange(dtype: keyof typeof wholes): readonly [least: number, most: number] {
  return [wholes[dtype].least, wholes[dtype].most];
}

/** The type of a tensor made of such data, where none is named. */
function typeOf(kind: string | undefined): DataType {
  return kind === "Uint32Array" ? "u32" : kind === "Int32Array" ? "i32" : "f32";
}

/**
 * Elements for a tensor of `shape`, of the type of the data unless one is named: u32 for a Uint32Array, i32 for an Int32Array, else f32.
 * Integers that f32 does not hold exactly and finite numbers beyond its range are refused, other numbers are rounded to nearest; whole
 * numbers are taken where the type holds them.
 * @throws ShapeError when it is no list of numbers or not of this shape, with the place of what is wrong
 * @throws RangeError for a number that the type does not hold
 */
export function elementsFor(data: unknown, shape: readonly number[], asked?: DataType): Stored {
  const kind = ArrayBuffer.isView(data) ? Reflect.get(data, Symbol.toStringTag) : undefined;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const list = Array.isArray(data) ? flat(data, shape) : data;
  if (!Array.isArray(list) && (kind === undefined || kind === "DataView")) {
    const hint =
      list instanceof ArrayBuffer || kind === "DataView" ? "; say what its bytes are, such as a Float32Array" : "";
    throw new ShapeError(`elements are given as a typed array or a list of numbers, found ${shown(data)}${hint}`);
  }
  const given = list as ArrayLike<number>;
  if (given.length !== size) {
    const raw = kind === "Uint8Array" && given.length === 4 * size;
    const hint = raw ? "; bytes of f32 are given as new Float32Array(data.buffer, data.byteOffset, …)" : "";
    throw new ShapeError(`[${shape}] has ${size} elements, ${given.length} were given${hint}`);
  }
  const dtype = asked ?? typeOf(kind);
  if (isWhole(dtype)) {
    const { array } = wholes[dtype];
    if (kind === array.name) return { dtype, elements: given as unknown as Stored["elements"] };
    const elements = new array(size);
    for (let i = 0; i < size; i++) elements[i] = asWhole(given[i], i, dtype);
    return { dtype, elements };
  }
  const numbers = asFloats(given, kind);
  return { dtype, elements: dtype === "f16" ? Uint16Array.from(numbers, numberToHalf) : numbers };
}

function asFloats(given: ArrayLike<number>, kind: string | undefined): Float32Array<ArrayBuffer> {
  if (kind === "Float32Array") return given as Float32Array<ArrayBuffer>;
  if (kind && narrow.has(kind)) return Float32Array.from(given);
  const whole = kind !== undefined && kind !== "Float64Array";
  return Float32Array.from(given, (value, i) => asFloat(value, i, whole));
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
      `element ${i} is ${shown(value)}, which f32 does not hold exactly; make a tensor of whole numbers ("u32", "i32"), or round first`,
    );
  }
  return rounded;
}

function asWhole(value: unknown, i: number, dtype: keyof typeof wholes): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number") throw new ShapeError(`element ${i} is ${shown(value)}, not a number`);
  const { least, most } = wholes[dtype];
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new RangeError(
    `element ${i} is ${shown(value)}; ${dtype === "i32" ? "an" : "a"} ${dtype} tensor holds whole numbers from ${least} to ${most}`,
  );
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
