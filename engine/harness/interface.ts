import { KernelRunError } from "./errors.ts";

export const scalarBytes = { f32: 4, f16: 2, u32: 4, i32: 4 } as const;
export type Scalar = keyof typeof scalarBytes;

/** One `var<storage>` of a kernel. */
export interface StorageSlot {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly writable: boolean;
  /** Type as written, e.g. `array<vec4f>`. */
  readonly type: string;
  /** The number type of its elements; undefined when it holds something else, such as a struct of several types. */
  readonly scalar: Scalar | undefined;
  /** True for single numbers, false for vectors, matrices and structs. */
  readonly single: boolean;
}

/** One field of the uniform, a scalar or a vector. */
export interface UniformField {
  readonly name: string;
  readonly scalar: Scalar;
  readonly lanes: number;
  readonly offsetBytes: number;
}

export interface UniformSlot {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly fields: readonly UniformField[];
  /** Rounded up to 16. */
  readonly sizeBytes: number;
}

/** A uniform whose bytes are known as a whole. */
export interface FixedUniform {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly sizeBytes: number;
}

/** What a harness must know about a kernel, read from its WGSL after the template step. */
export interface KernelInterface {
  readonly storage: readonly StorageSlot[];
  readonly uniform: UniformSlot | undefined;
  /** Of a captured dispatch: its uniforms, which are not filled by fields. */
  readonly fixed: readonly FixedUniform[];
  /** Of a captured dispatch: its textures and samplers. */
  readonly handles: readonly Pick<FixedUniform, "name" | "group" | "binding">[];
  /** Names of pipeline-overridable constants with the text of their default. */
  readonly overrides: ReadonlyMap<string, string | undefined>;
  readonly entryPoints: readonly { readonly name: string; readonly workgroup: readonly string[] }[];
}

/** The same text with comments as blanks, so that places stay. */
export function withoutComments(wgsl: string): string {
  let out = "";
  let depth = 0;
  for (let at = 0; at < wgsl.length; at++) {
    const two = wgsl.slice(at, at + 2);
    if (depth === 0 && two === "//") {
      const end = wgsl.indexOf("\n", at);
      const stop = end < 0 ? wgsl.length : end;
      out += " ".repeat(stop - at);
      at = stop - 1;
    } else if (two === "/*" || (depth > 0 && two === "*/")) {
      depth += two === "/*" ? 1 : -1;
      out += "  ";
      at++;
    } else out += depth > 0 && wgsl[at] !== "\n" ? " " : wgsl[at];
  }
  return out;
}

/** A variable with a binding, as written. */
interface WrittenVariable {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly space: string;
  readonly writable: boolean;
  readonly type: string;
}

function variablesIn(text: string, file: string): WrittenVariable[] {
  const variable =
    /((?:@\w+\s*\([^)]*\)\s*)+)var\s*(?:<\s*(storage|uniform)\s*(?:,\s*(\w+)\s*)?>)?\s*(\w+)\s*:\s*([^;=]+);/g;
  return [...text.matchAll(variable)].map(([, attributes, space, access, name, written]) => {
    const place = (attribute: string) => {
      const digits = new RegExp(`@${attribute}\\s*\\(\\s*(\\d+)[ui]?\\s*,?\\s*\\)`).exec(attributes!)?.[1];
      if (digits === undefined) {
        throw new KernelRunError(`${file}: ${name} has no @${attribute}(number); write the number itself`);
      }
      return Number(digits);
    };
    const type = written!.replace(/\s+/g, " ").trim();
    const at = { name: name!, group: place("group"), binding: place("binding") };
    return { ...at, space: space ?? "", writable: access === "read_write", type };
  });
}

function storageSlot(text: string, { name, group, binding, writable, type }: WrittenVariable): StorageSlot {
  return { name, group, binding, type, writable, ...elementOf(text, type) };
}

/**
 * Reads bindings, the uniform, overrides and entry points from plain WGSL.
 * @throws KernelRunError when something of it is outside of what the harness can fill
 */
export function readInterface(wgsl: string, file: string): KernelInterface {
  const text = withoutComments(wgsl);
  const variables = variablesIn(text, file);
  const storage = variables.filter(({ space }) => space === "storage").map((entry) => storageSlot(text, entry));
  const uniforms = variables
    .filter(({ space }) => space === "uniform")
    .map(({ name, group, binding, type }) => ({ name, group, binding, ...uniformLayout(text, type, file) }));
  if (storage.length === 0)
    throw new KernelRunError(`${file}: no storage buffer (@group(0) @binding(0) var<storage, …>)`);
  if (uniforms.length > 1) {
    throw new KernelRunError(`${file}: ${uniforms.map(({ name }) => name).join(", ")} are uniforms; one can be filled`);
  }
  return {
    storage,
    uniform: uniforms[0],
    fixed: [],
    handles: [],
    overrides: overridesIn(text),
    entryPoints: entryPoints(text),
  };
}

/**
 * The same of a kernel that a program has dispatched: what its entry point uses, however many uniforms and whatever is in them.
 * @param used whether the entry point uses a name
 * @param bytesAt bytes of what was bound; undefined where nothing was
 * @throws KernelRunError when something that it uses was not bound
 */
export function readForeignInterface(
  wgsl: string,
  file: string,
  used: (name: string) => boolean,
  bytesAt: (group: number, binding: number) => number | undefined,
): KernelInterface {
  const text = withoutComments(wgsl);
  const variables = variablesIn(text, file).filter(({ name }) => used(name));
  const storage = variables.filter(({ space }) => space === "storage").map((entry) => storageSlot(text, entry));
  const fixed = variables
    .filter(({ space }) => space === "uniform")
    .map(({ name, group, binding }) => {
      const sizeBytes = bytesAt(group, binding);
      if (sizeBytes === undefined) throw new KernelRunError(`${file}: the capture has no bytes of the uniform ${name}`);
      return { name, group, binding, sizeBytes };
    });
  const handles = variables
    .filter(({ space }) => space === "")
    .map(({ name, group, binding }) => ({ name, group, binding }));
  return { storage, uniform: undefined, fixed, handles, overrides: overridesIn(text), entryPoints: entryPoints(text) };
}

function overridesIn(text: string): Map<string, string | undefined> {
  const overrides = new Map<string, string | undefined>();
  for (const [, name, value] of text.matchAll(/\boverride\s+(\w+)\s*(?::\s*\w+\s*)?(?:=\s*([^;]+))?;/g)) {
    overrides.set(name!, value?.trim());
  }
  return overrides;
}

function entryPoints(text: string) {
  return [...text.matchAll(/((?:@\w+\s*(?:\([^)]*\)\s*)?)+)fn\s+(\w+)/g)]
    .filter(([, attributes]) => /@compute\b/.test(attributes!))
    .map(([, attributes, name]) => {
      const size = /@workgroup_size\s*\(([^)]*)\)/.exec(attributes!)?.[1] ?? "1";
      const extents = size.split(",").map((extent) => extent.trim().replace(/^(\d+)[ui]$/, "$1"));
      return { name: name!, workgroup: extents.filter(Boolean) };
    });
}

/** The type behind `alias A = B;`, through any number of them. */
function resolved(text: string, type: string): string {
  const next = new RegExp(`\\balias\\s+${type}\\s*=\\s*([^;]+);`).exec(/^\w+$/.test(type) ? text : "")?.[1];
  return next ? resolved(text, next.trim()) : type;
}

const short: Readonly<Record<string, Scalar>> = { f: "f32", h: "f16", u: "u32", i: "i32" };

/** The number type that an array, vector, matrix or atomic is made of. */
function elementOf(text: string, type: string, single = true): Pick<StorageSlot, "scalar" | "single"> {
  const base = resolved(text, type);
  if (Object.hasOwn(scalarBytes, base)) return { scalar: base as Scalar, single };
  const abbreviated = /^(?:vec[234]|mat[234]x[234])([fhui])$/.exec(base);
  if (abbreviated) return { scalar: short[abbreviated[1]!], single: false };
  const [, outer, inner] = /^(array|vec[234]|mat[234]x[234]|atomic)\s*<\s*(.+?)\s*(?:,[^,<>]+)?>$/.exec(base) ?? [];
  if (!inner) return { scalar: undefined, single: false };
  return elementOf(text, inner, single && (outer === "array" || outer === "atomic"));
}

/** Offsets of a struct's fields in the uniform address space: vectors of 2 start at multiples of 8 bytes, of 3 and 4 of 16. */
function uniformLayout(text: string, type: string, file: string): Pick<UniformSlot, "fields" | "sizeBytes"> {
  const base = resolved(text, type);
  const body = new RegExp(`\\bstruct\\s+${base}\\s*\\{([^}]*)\\}`).exec(/^\w+$/.test(base) ? text : "")?.[1];
  const members = body === undefined ? [["value", base] as const] : membersOf(body);
  let at = 0;
  const fields = members.map(([name, written]): UniformField => {
    const field = resolved(text, written);
    const vector = /^vec([234])(?:([fui])|\s*<\s*(\w+)\s*>)$/.exec(field);
    const scalar = vector ? (vector[2] ? short[vector[2]] : (vector[3] as Scalar)) : (field as Scalar);
    const lanes = vector ? Number(vector[1]) : 1;
    if (scalar !== "f32" && scalar !== "u32" && scalar !== "i32") {
      throw new KernelRunError(
        `${file}: the uniform's ${name} is ${written}; f32, u32, i32 and their vectors can be filled`,
      );
    }
    const alignment = lanes === 1 ? 4 : lanes === 2 ? 8 : 16;
    const offsetBytes = Math.ceil(at / alignment) * alignment;
    at = offsetBytes + 4 * lanes;
    return { name, scalar, lanes, offsetBytes };
  });
  return { fields, sizeBytes: Math.ceil(at / 16) * 16 };
}

function membersOf(body: string): (readonly [name: string, type: string])[] {
  return body
    .split(/,(?![^<]*>)/)
    .map((member) => /(\w+)\s*:\s*(.+)$/s.exec(member.trim()))
    .filter((match) => match !== null)
    .map((match) => [match[1]!, match[2]!.trim()] as const);
}
