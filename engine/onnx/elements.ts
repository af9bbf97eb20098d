import { bfloatToNumber, halfToNumber, numberToBfloat, numberToHalf } from "../weights/half.ts";
import { OnnxError, UnsupportedError } from "./errors.ts";
import type { TensorProto } from "./schema.ts";

/** Element types of ONNX that values may have here. */
export type ElementType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool";

/** Elements on the host, whatever their type: 64-bit integers are held as the nearest double, truth values as 0 and 1. */
export type Numbers = Float32Array | Float64Array;

/** What `read` gives. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** One type of element, as it lies in the bytes of a file. */
interface Layout {
  readonly code: number;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  readonly write: (view: DataView, at: number, value: number) => void;
}

const layouts: Readonly<Record<ElementType, Layout>> = {
  float32: {
    code: 1,
    bytes: 4,
    read: (v, at) => v.getFloat32(at, true),
    write: (v, at, x) => v.setFloat32(at, x, true),
  },
  uint8: { code: 2, bytes: 1, read: (v, at) => v.getUint8(at), write: (v, at, x) => v.setUint8(at, x) },
  int8: { code: 3, bytes: 1, read: (v, at) => v.getInt8(at), write: (v, at, x) => v.setInt8(at, x) },
  uint16: { code: 4, bytes: 2, read: (v, at) => v.getUint16(at, true), write: (v, at, x) => v.setUint16(at, x, true) },
  int16: { code: 5, bytes: 2, read: (v, at) => v.getInt16(at, true), write: (v, at, x) => v.setInt16(at, x, true) },
  int32: { code: 6, bytes: 4, read: (v, at) => v.getInt32(at, true), write: (v, at, x) => v.setInt32(at, x, true) },
  int64: {
    code: 7,
    bytes: 8,
    read: (v, at) => Number(v.getBigInt64(at, true)),
    write: (v, at, x) => v.setBigInt64(at, whole64(x, true), true),
  },
  bool: {
    code: 9,
    bytes: 1,
    read: (v, at) => (v.getUint8(at) ? 1 : 0),
    write: (v, at, x) => v.setUint8(at, x ? 1 : 0),
  },
  float16: {
    code: 10,
    bytes: 2,
    read: (v, at) => halfToNumber(v.getUint16(at, true)),
    write: (v, at, x) => v.setUint16(at, numberToHalf(x), true),
  },
  float64: {
    code: 11,
    bytes: 8,
    read: (v, at) => v.getFloat64(at, true),
    write: (v, at, x) => v.setFloat64(at, x, true),
  },
  uint32: { code: 12, bytes: 4, read: (v, at) => v.getUint32(at, true), write: (v, at, x) => v.setUint32(at, x, true) },
  uint64: {
    code: 13,
    bytes: 8,
    read: (v, at) => Number(v.getBigUint64(at, true)),
    write: (v, at, x) => v.setBigUint64(at, whole64(x, false), true),
  },
  bfloat16: {
    code: 16,
    bytes: 2,
    read: (v, at) => bfloatToNumber(v.getUint16(at, true)),
    write: (v, at, x) => v.setUint16(at, numberToBfloat(x), true),
  },
};

const byCode = new Map(Object.entries(layouts).map(([type, { code }]) => [code, type as ElementType]));

/** Names of the types that are refused, by their numbers in the specification. */
const refused: Readonly<Record<number, string>> = {
  0: "undefined",
  8: "string",
  14: "complex64",
  15: "complex128",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
};

/** The type that a number of the specification means. @throws UnsupportedError for one that there is not here */
export function elementType(code: number | undefined, whose: string): ElementType {
  const type = byCode.get(code ?? 0);
  if (type) return type;
  throw new UnsupportedError(`${whose} has elements of type ${refused[code ?? 0] ?? code}, which are not supported`);
}

/** The number that the specification has for a type. */
export function elementCode(type: ElementType): number {
  return layouts[type].code;
}

/** True for what is computed with on the device. */
export function isFloat(type: ElementType): boolean {
  return type === "float32" || type === "float64" || type === "float16" || type === "bfloat16";
}

const unsigned = { uint8: 8, uint16: 16, uint32: 32, uint64: 64 } as const;
const signed = { int8: 8, int16: 16, int32: 32, int64: 64 } as const;

function whole64(value: number, isSigned: boolean): bigint {
  const most = isSigned ? 2n ** 63n - 1n : 2n ** 64n - 1n;
  const least = isSigned ? -(2n ** 63n) : 0n;
  const exact = BigInt(Number.isFinite(value) ? Math.trunc(value) : 0);
  return exact > most ? most : exact < least ? least : exact;
}

/** A whole number as an integer type keeps it: its low bits. 64-bit results that a double cannot hold are refused. */
export function wrapped(type: ElementType, value: number): number {
  if (type === "bool") return value ? 1 : 0;
  if (isFloat(type)) return value;
  const bits = type in unsigned ? unsigned[type as keyof typeof unsigned] : signed[type as keyof typeof signed];
  const whole = Math.trunc(value);
  if (bits === 64) {
    if (Math.abs(whole) > 2 ** 63) throw new OnnxError(`${value} is beyond ${type}`);
    return type === "uint64" && whole < 0 ? whole + 2 ** 64 : whole;
  }
  const low = whole - 2 ** bits * Math.floor(whole / 2 ** bits);
  return type in signed && low >= 2 ** (bits - 1) ? low - 2 ** bits : low;
}

/** Room for so many elements. */
export function numbersFor(type: ElementType, size: number): Numbers {
  return type === "float32" || type === "float16" || type === "bfloat16"
    ? new Float32Array(size)
    : new Float64Array(size);
}

/** The numbers as an array of the type's own; float16 and bfloat16 become f32. */
export function asTyped(type: ElementType, numbers: Numbers): TypedArray {
  switch (type) {
    case "float64":
      return Float64Array.from(numbers);
    case "int8":
      return Int8Array.from(numbers);
    case "int16":
      return Int16Array.from(numbers);
    case "int32":
      return Int32Array.from(numbers);
    case "int64":
      return BigInt64Array.from(numbers as unknown as number[], (x) => whole64(x as unknown as number, true));
    case "uint8":
    case "bool":
      return Uint8Array.from(numbers);
    case "uint16":
      return Uint16Array.from(numbers);
    case "uint32":
      return Uint32Array.from(numbers);
    case "uint64":
      return BigUint64Array.from(numbers as unknown as number[], (x) => whole64(x as unknown as number, false));
    default:
      return Float32Array.from(numbers);
  }
}

/** Elements in the bytes of a file. @throws OnnxError when there are too few or too many */
export function fromBytes(type: ElementType, bytes: Uint8Array, size: number, whose: string): Numbers {
  const layout = layouts[type];
  if (bytes.length !== size * layout.bytes)
    throw new OnnxError(`${whose} has ${bytes.length} bytes for ${size} elements of ${type}; the file is damaged`);
  const numbers = numbersFor(type, size);
  if (type === "float32") {
    // Bytes of a message start anywhere.
    new Uint8Array(numbers.buffer, numbers.byteOffset, bytes.length).set(bytes);
    return numbers;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < size; i++) numbers[i] = layout.read(view, i * layout.bytes);
  return numbers;
}

/** The bytes of some numbers as a file holds them. */
export function toBytes(type: ElementType, numbers: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const layout = layouts[type];
  const bytes = new Uint8Array(numbers.length * layout.bytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < numbers.length; i++) layout.write(view, i * layout.bytes, numbers[i]!);
  return bytes;
}

/** A constant as it stands in a file. */
export interface HostArray {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly numbers: Numbers;
}

/** The bytes of a tensor that lie in another file. */
export type ExternalBytes = (tensor: TensorProto) => Uint8Array;

const externalLocation = 1;

/** @throws OnnxError for a damaged tensor, UnsupportedError for an element type that is not meant */
export function hostArray(tensor: TensorProto, external: ExternalBytes): HostArray {
  const whose = `tensor "${tensor.name ?? ""}"`;
  const type = elementType(tensor.dataType, whose);
  const shape = tensor.dims.map(Number);
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (tensor.dataLocation === externalLocation)
    return { type, shape, numbers: fromBytes(type, external(tensor), size, whose) };
  if (tensor.rawData) return { type, shape, numbers: fromBytes(type, tensor.rawData, size, whose) };
  const list = typedField(type, tensor);
  if (list.length !== size)
    throw new OnnxError(`${whose} has ${list.length} elements for shape [${shape}]; the file is damaged`);
  const numbers = numbersFor(type, size);
  // Halves stand as their bits in the field of 32-bit integers.
  const value = type === "float16" ? halfToNumber : type === "bfloat16" ? bfloatToNumber : Number;
  for (let i = 0; i < size; i++) numbers[i] = value(list[i] as number);
  return { type, shape, numbers };
}

function typedField(type: ElementType, tensor: TensorProto): readonly (number | bigint)[] {
  if (type === "float32") return tensor.floatData;
  if (type === "float64") return tensor.doubleData;
  if (type === "int64") return tensor.int64Data;
  if (type === "uint32" || type === "uint64") return tensor.uint64Data;
  return tensor.int32Data;
}
