import { TemplateError } from "./template.ts";

/** How an element type that holds f32 lies in memory as f16: its type there, and what reads and writes it. */
const halves: Readonly<Record<string, { stored: string; widen: string; narrow: string }>> = {
  f32: { stored: "f16", widen: "f32", narrow: "f16" },
  vec2f: { stored: "u32", widen: "unpack2x16float", narrow: "pack2x16float" },
  vec4f: { stored: "vec2u", widen: "unpack4x16float", narrow: "pack4x16float" },
};

/** WGSL packs two halves; four are twice two. Packed words load and store as fast as f32, on software adapters too. */
const packing = `
fn unpack4x16float(bits: vec2u) -> vec4f {
  return vec4f(unpack2x16float(bits.x), unpack2x16float(bits.y));
}

fn pack4x16float(v: vec4f) -> vec2u {
  return vec2u(pack2x16float(v.xy), pack2x16float(v.zw));
}
`;

/**
 * The same kernel with some of its storage variables kept as f16: each is declared with 16-bit elements, widened where
 * it is read and narrowed where it is written. All arithmetic stays f32, so that a kernel file is written once, for f32.
 * A kernel that only moves bits declares such a variable as f16 or vec4h itself and is left as it is.
 *
 *     x: array<f32>     let a = x[i];        y[i] += a * a;
 *     x: array<f16>     let a = f32(x[i]);   y[i] = f16(f32(y[i]) + (a * a));
 *
 * @param names storage variables of the kernel that hold f16
 * @throws TemplateError when one of them does not hold f32 numbers
 */
export function withHalfStorage(wgsl: string, names: readonly string[], file = "kernel"): string {
  if (names.length === 0) return wgsl;
  let source = wgsl.replace(/\/\/.*$/gm, "");
  const forms = new Map<string, AccessForm>();
  for (const name of names) {
    const declaration = new RegExp(`(var<storage[^>]*>\\s*${name}\\s*:\\s*array<\\s*)(\\w+)(\\s*>)`);
    const element = resolved(source, declaration.exec(source)?.[2]);
    if (element === "f16" || element === "vec4h") continue;
    const half = halves[element ?? ""];
    if (!half) throw new TemplateError(`${file}: "${name}" holds ${element ?? "no array"}, which f16 cannot stand for`);
    source = source.replace(declaration, `$1${half.stored}$3`);
    const { widen, narrow } = half;
    forms.set(name, { read: (index) => `${widen}(${name}[${index}])`, write: (index) => `${name}[${index}]`, narrow });
  }
  if (forms.size > 0) source = converted(source, forms, file) + packing;
  return `enable f16;\n${source}`;
}

/** The type behind `alias A = B;`, through any number of them. */
export function resolved<Type extends string | undefined>(source: string, type: Type): string | Type {
  if (type === undefined) return type;
  const next = new RegExp(`alias\\s+${type}\\s*=\\s*(\\w+)\\s*;`).exec(source)?.[1];
  return next ? resolved(source, next) : type;
}

/** What stands in the place of an access `name[index]`. */
interface AccessForm {
  readonly read: (index: string) => string;
  /** Left of an assignment, whose right side `narrow` converts; absent for what is only read. */
  readonly write?: (index: string) => string;
  readonly narrow?: string;
}

/** Text with every access `name[…]` of the given variables converted. */
function converted(text: string, forms: ReadonlyMap<string, AccessForm>, file: string): string {
  const access = new RegExp(`\\b(${[...forms.keys()].join("|")})\\s*\\[`, "g");
  let out = "";
  let at = 0;
  for (let match = access.exec(text); match; match = access.exec(text)) {
    const form = forms.get(match[1]!)!;
    const open = match.index + match[0].length;
    const close = closing(text, open, file);
    const index = converted(text.slice(open, close), forms, file);
    out += text.slice(at, match.index);
    const write = form.write && /^\s*([-+*/]?)=(?!=)/.exec(text.slice(close + 1));
    if (!write) {
      out += form.read(index);
      at = close + 1;
    } else {
      const start = close + 1 + write[0].length;
      const end = text.indexOf(";", start);
      const value = converted(text.slice(start, end), forms, file).trim();
      out += `${form.write!(index)} = ${form.narrow}(${write[1] ? `${form.read(index)} ${write[1]} (${value})` : value})`;
      at = end;
    }
    access.lastIndex = at;
  }
  return out + text.slice(at);
}

/** Texels in a line of a texture that shows the elements of a buffer in their order, and their bytes. */
export const texelsPerLine = 1024;
export const texelBytes = 16;

/**
 * The same kernel with some of its storage variables read as textures of four words a texel, which hold the same bits. A
 * software driver that loads from buffers lane by lane and number by number fetches a whole texel at once.
 *
 *     x: array<vec4f>     let a = x[i];
 *     x: texture_2d<u32>  let a = bitcast<vec4f>(textureLoad(x, vec2u(i % 1024, i / 1024), 0));
 *
 * @param names storage variables of the kernel that hold vec4f and are only read
 * @throws TemplateError when one of them does not
 */
export function withTextures(wgsl: string, names: readonly string[], file = "kernel"): string {
  if (names.length === 0) return wgsl;
  let source = wgsl.replace(/\/\/.*$/gm, "");
  const forms = new Map<string, AccessForm>();
  let fetches = "";
  for (const name of names) {
    const declaration = new RegExp(`var<storage,\\s*read>\\s*${name}\\s*:\\s*array<\\s*vec4f\\s*>`);
    if (!declaration.test(source)) throw new TemplateError(`${file}: "${name}" is not of vec4f that are only read`);
    source = source.replace(declaration, `var ${name}: texture_2d<u32>`);
    forms.set(name, { read: (index) => `texel_${name}(${index})` });
    fetches += `
fn texel_${name}(index: u32) -> vec4f {
  return bitcast<vec4f>(textureLoad(${name}, vec2u(index % ${texelsPerLine}u, index / ${texelsPerLine}u), 0));
}
`;
  }
  return converted(source, forms, file) + fetches;
}

/** Place of the bracket that closes one opened just before `start`. */
function closing(text: string, start: number, file: string): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "[") depth++;
    else if (text[at] === "]" && --depth === 0) return at;
  }
  throw new TemplateError(`${file}: a bracket is never closed`);
}
