import type { Constants } from "../kernel/template.ts";
import { type ConstantValue, type Description, listText } from "./description.ts";
import { KernelUsageError } from "./errors.ts";
import { evaluate, evaluateList, namesIn, type Scope } from "./expression.ts";
import { type KernelInterface, type Scalar, type StorageSlot, scalarBytes, type UniformField } from "./interface.ts";

/** A storage buffer as it will be made. */
export interface ResolvedBuffer {
  readonly slot: StorageSlot;
  readonly shape: readonly number[];
  readonly scalar: Scalar;
  readonly sizeBytes: number;
  /** What it holds at first; undefined for a result, which holds poison. */
  readonly fill: string | number | undefined;
}

/**
 * Values of constants: numbers, booleans and words as they are; other texts are expressions of further constants.
 * @throws KernelUsageError when one is defined by itself, or an expression cannot be read
 */
export function resolveConstants(given: Readonly<Record<string, ConstantValue>>): Constants {
  const done: Record<string, number | boolean | string> = {};
  const open = new Set<string>();
  const resolve = (name: string): number | boolean | string => {
    if (Object.hasOwn(done, name)) return done[name]!;
    if (open.has(name)) throw new KernelUsageError(`constant ${name} is defined by itself`);
    open.add(name);
    const value = given[name]!;
    done[name] = typeof value === "string" ? fromText(value) : value;
    return done[name];
  };
  const scope: Scope = (name) => (Object.hasOwn(given, name) ? asNumber(name, resolve(name)) : undefined);
  const fromText = (text: string) => {
    const word = text.trim();
    if (word === "true" || word === "false") return word === "true";
    if (word !== "" && Number.isFinite(Number(word))) return Number(word);
    // A word stands for itself, as in OP=add, unless it names a constant.
    if (/^[A-Za-z_]\w*$/.test(word)) return Object.hasOwn(given, word) ? resolve(word) : word;
    return evaluate(word, scope);
  };
  for (const name of Object.keys(given)) resolve(name);
  return done;
}

function asNumber(name: string, value: number | boolean | string): number {
  if (typeof value === "string") throw new KernelUsageError(`constant ${name} is the word "${value}", not a number`);
  return Number(value);
}

/** Every combination of the swept values, the last constant fastest; one empty combination without a sweep. */
export function sweepPoints(
  sweep: Readonly<Record<string, readonly ConstantValue[]>> = {},
): Record<string, ConstantValue>[] {
  let points: Record<string, ConstantValue>[] = [{}];
  for (const [name, values] of Object.entries(sweep)) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  }
  return points;
}

/**
 * @throws KernelUsageError when a constant is used neither in the source nor in an expression: most likely a slip of the pen
 * @param source the kernel's text and those of its parts
 */
export function expectUsed(description: Description, source: string): void {
  const { constants = {}, buffers, params = {}, grid, flops, bytes, sweep = {} } = description;
  const texts = [grid, flops, bytes, ...Object.values(params), ...Object.values(buffers).map(shapeOf)];
  const words = Object.values(constants).filter((value) => typeof value === "string" && !/^\w+$/.test(value));
  const used = new Set(
    [...texts, ...words].flatMap((text) => (text === undefined ? [] : namesIn(listText(text as string | number)))),
  );
  for (const name of new Set([...Object.keys(constants), ...Object.keys(sweep)])) {
    const inSource = new RegExp(`\\b${name}\\b`).test(source);
    const elsewhere = Object.values(constants).includes(name);
    if (inSource || elsewhere || used.has(name)) continue;
    throw new KernelUsageError(`constant ${name} is used neither in the kernel nor in an expression`);
  }
}

function shapeOf(buffer: Description["buffers"][string]) {
  return typeof buffer === "object" && !Array.isArray(buffer) ? buffer.shape : buffer;
}

/**
 * Shapes and types of the kernel's buffers. One that the kernel writes is a result unless it has a `fill` or is an input.
 * @param inputs names of buffers that something is given in
 * @throws KernelUsageError when one is missing, unknown, of no known number type, or its shape is not whole and positive
 */
export function resolveBuffers(
  { buffers }: Description,
  { storage }: KernelInterface,
  constants: Constants,
  inputs: ReadonlySet<string> = new Set(),
): ResolvedBuffer[] {
  const names = storage.map(({ name }) => name);
  for (const name of Object.keys(buffers)) {
    if (!names.includes(name))
      throw new KernelUsageError(`the kernel has no buffer "${name}"; it has ${names.join(", ")}`);
  }
  const scope = constantScope(constants);
  return storage.map((slot): ResolvedBuffer => {
    const { name, type, writable } = slot;
    const given = buffers[name];
    if (given === undefined) {
      throw new KernelUsageError(`buffer "${name}" (${type}) has no shape; give one, such as --buffer ${name}=M,K`);
    }
    const full = typeof given === "object" && !Array.isArray(given) ? given : { shape: given };
    const scalar = full.type ?? slot.scalar;
    if (!scalar) {
      throw new KernelUsageError(`buffer "${name}" is ${type}; say what it is filled with, such as --type ${name}=u32`);
    }
    const shape = evaluateList(listText(full.shape), scope);
    if (shape.some((extent) => !Number.isInteger(extent) || extent < 1)) {
      throw new KernelUsageError(`buffer "${name}" has the shape [${shape}]; extents are whole and at least 1`);
    }
    const count = shape.reduce((product, extent) => product * extent, 1);
    // Bindings are whole words; of vectors and structs the last is complete.
    const step = slot.single ? 4 : 16;
    const sizeBytes = Math.ceil((count * scalarBytes[scalar]) / step) * step;
    const isResult = writable && !inputs.has(name) && (full.fill === undefined || full.fill === "nan");
    const fill = isResult ? undefined : (full.fill ?? defaultFill(scalar));
    return { slot, shape, scalar, sizeBytes, fill };
  });
}

function defaultFill(scalar: Scalar): string {
  return scalar === "u32" || scalar === "i32" ? "integers(0, 100)" : "uniform";
}

function constantScope(constants: Constants): Scope {
  return (name) => (Object.hasOwn(constants, name) ? asNumber(name, constants[name]!) : undefined);
}

/** Names of constants; `a[0]`, `a.size`, `a.bytes` of buffers; `workgroup[0]`, `workgroup.size`. */
export function fullScope(
  constants: Constants,
  buffers: readonly ResolvedBuffer[],
  workgroup: readonly number[] | undefined,
): Scope {
  const lists = new Map<string, Record<string, number>>();
  const list = (values: readonly number[], bytesEach: number) => {
    const size = values.reduce((product, extent) => product * extent, 1);
    return { ...Object.fromEntries(values.entries()), size, ...(bytesEach && { bytes: size * bytesEach }) };
  };
  for (const { slot, shape, scalar } of buffers) lists.set(slot.name, list(shape, scalarBytes[scalar]));
  if (workgroup && !lists.has("workgroup")) lists.set("workgroup", list(workgroup, 0));
  const constant = constantScope(constants);
  return (name) => constant(name) ?? lists.get(name);
}

/** @throws KernelUsageError when an extent is not a whole number that the adapter can dispatch */
export function resolveGrid(grid: Description["grid"], scope: Scope, limit: number): [number, number, number] {
  const text = listText(grid);
  const extents = evaluateList(text, scope, 3);
  for (const extent of extents) {
    if (!Number.isInteger(extent))
      throw new KernelUsageError(`the grid "${text}" is ${extents.join(" x ")}; use ceil(…)`);
    if (extent < 1 || extent > limit) {
      throw new KernelUsageError(
        `the grid "${text}" is ${extents.join(" x ")}; this adapter takes 1 to ${limit} on an axis`,
      );
    }
  }
  return [extents[0]!, extents[1] ?? 1, extents[2] ?? 1];
}

/** Bytes of the uniform. @throws KernelUsageError when a field is missing, unknown, or has another number of lanes */
export function uniformBytes(
  { params = {} }: Description,
  { uniform }: KernelInterface,
  scope: Scope,
): ArrayBuffer | undefined {
  const fields = uniform?.fields ?? [];
  for (const name of Object.keys(params)) {
    if (fields.some((field) => field.name === name)) continue;
    const known = fields.map((field) => field.name).join(", ");
    throw new KernelUsageError(
      `the uniform has no field "${name}"${known ? `; it has ${known}` : ": the kernel has none"}`,
    );
  }
  if (!uniform) return undefined;
  const view = new DataView(new ArrayBuffer(uniform.sizeBytes));
  for (const field of fields) {
    const given = params[field.name] ?? (scope(field.name) === undefined ? undefined : field.name);
    if (given === undefined) {
      throw new KernelUsageError(
        `uniform field "${field.name}" has no value; give one, such as --param ${field.name}=M`,
      );
    }
    const values = evaluateList(listText(given), scope);
    if (values.length !== field.lanes) {
      throw new KernelUsageError(`uniform field "${field.name}" takes ${field.lanes} numbers, got ${values.length}`);
    }
    for (const [lane, value] of values.entries()) writeField(view, field, lane, value);
  }
  return view.buffer;
}

function writeField(view: DataView, { name, scalar, offsetBytes }: UniformField, lane: number, value: number): void {
  const at = offsetBytes + 4 * lane;
  if (scalar !== "f32" && (!Number.isInteger(value) || (scalar === "u32" && value < 0))) {
    throw new KernelUsageError(`uniform field "${name}" is ${scalar}, got ${value}; use ceil(…) or floor(…)`);
  }
  if (scalar === "f32") view.setFloat32(at, value, true);
  else if (scalar === "u32") view.setUint32(at, value, true);
  else view.setInt32(at, value, true);
}
