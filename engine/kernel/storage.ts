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
  const types = new Map<string, string>();
  for (const name of names) {
    const declaration = new RegExp(`(var<storage[^>]*>\\s*${name}\\s*:\\s*array<\\s*)(\\w+)(\\s*>)`);
    const element = resolved(source, declaration.exec(source)?.[2]);
    if (element === "f16" || element === "vec4h") continue;
    const half = halves[element ?? ""];
    if (!half) throw new TemplateError(`${file}: "${name}" holds ${element ?? "no array"}, which f16 cannot stand for`);
    source = source.replace(declaration, `$1${half.stored}$3`);
    types.set(name, element!);
  }
  if (types.size > 0) source = converted(source, types, file) + packing;
  return `enable f16;\n${source}`;
}

/** The type behind `alias A = B;`, through any number of them. */
export function resolved<Type extends string | undefined>(source: string, type: Type): string | Type {
  if (type === undefined) return type;
  const next = new RegExp(`alias\\s+${type}\\s*=\\s*(\\w+)\\s*;`).exec(source)?.[1];
  return next ? resolved(source, next) : type;
}

/** Text with every access `name[…]` of the given variables converted. */
function converted(text: string, types: ReadonlyMap<string, string>, file: string): string {
  const access = new RegExp(`\\b(${[...types.keys()].join("|")})\\s*\\[`, "g");
  let out = "";
  let at = 0;
  for (let match = access.exec(text); match; match = access.exec(text)) {
    const name = match[1]!;
    const type = types.get(name)!;
    const open = match.index + match[0].length;
    const close = closing(text, open, file);
    const element = `${name}[${converted(text.slice(open, close), types, file)}]`;
    out += text.slice(at, match.index);
    const { widen, narrow } = halves[type]!;
    const write = /^\s*([-+*/]?)=(?!=)/.exec(text.slice(close + 1));
    if (!write) {
      out += `${widen}(${element})`;
      at = close + 1;
    } else {
      const start = close + 1 + write[0].length;
      const end = text.indexOf(";", start);
      const value = converted(text.slice(start, end), types, file).trim();
      out += `${element} = ${narrow}(${write[1] ? `${widen}(${element}) ${write[1]} (${value})` : value})`;
      at = end;
    }
    access.lastIndex = at;
  }
  return out + text.slice(at);
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
