import { ShapeError, shown } from "../arguments.ts";
import { type DataType, Tensor } from "../tensor.ts";

export type Types = readonly DataType[];

/** What is computed with. */
const numbers: Types = ["f32", "f16"];
/** Any type, for operations that only move elements. */
export const moved: Types = ["f32", "f16", "u32", "i32"];
/** Any type, for what does not come to single elements of a word. */
export const stored: Types = [...moved, "u8"];
export const indices: Types = ["u32"];
/** Whole numbers that are computed with. As what names places −k of i32 has the bits of 2^32 − k of u32, which counts from the end. */
export const wholes: Types = ["u32", "i32"];
/** Numbers, and whole numbers modulo 2^32. */
export const signed: Types = ["f32", "f16", "i32"];
export const single: Types = ["f32"];

/** Whether a value is a tensor, for options. */
export const operand = { allowed: "a tensor", fits: (value: unknown) => value instanceof Tensor, error: TypeError };

/**
 * The one look at the tensors of an operation before anything is made or dispatched: each is a tensor that is still there and
 * has elements, all lie on one device, and their elements are of a type that is computed with, f32 or f16 unless `types`
 * names others.
 * @throws ShapeError or TypeError with the operation and the name of the tensor
 */
export function expectOperands(
  operation: string,
  tensors: Readonly<Record<string, Tensor>>,
  types?: Readonly<Record<string, Types>>,
): void {
  expectTensors(operation, tensors, types);
  for (const name in tensors) {
    const { size, shape } = tensors[name]!;
    if (size === 0)
      throw new ShapeError(`${operation}: ${name} [${shape}] has no elements, and ${operation} needs some`);
  }
}

/** {@link expectOperands} for an operation whose result is defined without elements, too. */
export function expectTensors(
  operation: string,
  tensors: Readonly<Record<string, Tensor>>,
  types?: Readonly<Record<string, Types>>,
): void {
  let first: Tensor | undefined;
  let firstName = "";
  for (const name in tensors) {
    const tensor = tensors[name];
    if (!(tensor instanceof Tensor))
      throw new TypeError(`${operation}: ${name} must be a tensor, found ${shown(tensor)}`);
    if (tensor.disposed) {
      throw new ShapeError(
        `${operation}: ${name}, a tensor of shape [${tensor.shape}], was used after it was disposed of`,
      );
    }
    const allowed: Types = types?.[name] ?? numbers;
    if (!allowed.includes(tensor.dtype)) refuseType(operation, name, tensor, allowed);
    if (!first) {
      first = tensor;
      firstName = name;
    } else if (tensor.device !== first.device) {
      throw new ShapeError(
        `${operation}: ${firstName} and ${name} lie on two devices; read one and make it on the other by Tensor.from`,
      );
    }
  }
}

function refuseType(operation: string, name: string, { dtype, shape }: Tensor, allowed: Types): never {
  const wanted = allowed === numbers ? "floating-point elements (f32 or f16)" : `${allowed.join(" or ")} elements`;
  throw new ShapeError(
    `${operation} takes ${wanted}, found ${dtype} [${shape}] as ${name}${dtype === "u8" ? "; cast it first" : ""}`,
  );
}

/** @throws ShapeError when the shapes differ */
export function expectSameShape(operation: string, a: Tensor, b: Tensor): void {
  if (a.rank !== b.rank || a.shape.some((extent, i) => extent !== b.shape[i])) {
    throw new ShapeError(`${operation}: shapes [${a.shape}] and [${b.shape}] differ`);
  }
}

/** {@link expectTensors} for a list of tensors. @throws ShapeError when it is no list or has none, too */
export function expectOperandList(operation: string, tensors: readonly Tensor[], types?: Types): void {
  if (!Array.isArray(tensors)) throw new ShapeError(`${operation} takes a list of tensors, found ${shown(tensors)}`);
  if (tensors.length === 0) throw new ShapeError(`${operation}: no tensors were given; it needs at least one`);
  const named = Object.fromEntries(tensors.map((tensor, i) => [`tensor ${i}`, tensor]));
  expectTensors(operation, named, types && Object.fromEntries(Object.keys(named).map((name) => [name, types])));
}

const kinds = { f32: "f", f16: "f", u32: "u", i32: "i", u8: "b" } as const satisfies Record<DataType, string>;

/** What kernels call the kind of elements: numbers (f16 is widened and narrowed around them), whole ones without or with a sign, bytes. */
export function kindOf({ dtype }: { readonly dtype: DataType }): "f" | "u" | "i" | "b" {
  return kinds[dtype];
}

/** WGSL type in which a kernel moves elements of x, one or four at a time, without looking at them. */
export function movedElement(x: Tensor, vector: boolean): string {
  if (x.dtype === "f16") return vector ? "vec4h" : "f16";
  return vector ? "vec4u" : "u32";
}
