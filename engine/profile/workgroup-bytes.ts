import type { KernelSource } from "../kernel/source.ts";

const scalarBytes: Readonly<Record<string, number>> = { f32: 4, u32: 4, i32: 4, f16: 2, bool: 4 };
const suffixes: Readonly<Record<string, string>> = { f: "f32", u: "u32", i: "i32", h: "f16" };

/** Bytes of workgroup memory that a kernel declares; arrays of scalars and vectors whose lengths are constants of the source. */
export function workgroupBytes({ wgsl }: Pick<KernelSource, "wgsl">): number {
  const text = wgsl.replace(/\/\/.*$/gm, "");
  let sum = 0;
  for (const [, type] of text.matchAll(/var<workgroup>\s*\w+\s*:\s*([^;]+);/g)) sum += sizeOfType(type!.trim(), text);
  return sum;
}

function sizeOfType(type: string, text: string): number {
  const array = /^array<\s*(.+?)\s*,\s*([^,]+?)\s*>$/s.exec(type);
  if (array) return sizeOfType(array[1]!, text) * lengthOf(array[2]!, text);
  const alias = new RegExp(`alias\\s+${type}\\s*=\\s*([^;]+);`).exec(text);
  if (alias) return sizeOfType(alias[1]!.trim(), text);
  const vector = /^vec([234])(?:([fuih])|<\s*(\w+)\s*>)$/.exec(type);
  if (vector) {
    const lanes = Number(vector[1]) === 3 ? 4 : Number(vector[1]);
    return lanes * (scalarBytes[vector[3] ?? suffixes[vector[2]!]!] ?? 4);
  }
  return scalarBytes[type.replace(/^atomic<\s*(\w+)\s*>$/, "$1")] ?? 0;
}

/** A product or sum of whole numbers and names of constants. */
function lengthOf(expression: string, text: string): number {
  const terms = expression.split("+").map((term) =>
    term.split("*").reduce((product, word) => {
      const name = word.trim().replace(/u$/, "");
      if (/^\d+$/.test(name)) return product * Number(name);
      const declared = new RegExp(`const\\s+${word.trim()}\\s*(?::\\s*\\w+\\s*)?=\\s*([^;]+);`).exec(text)?.[1];
      return product * (declared === undefined ? 0 : lengthOf(declared.replace(/[()]/g, ""), text));
    }, 1),
  );
  return terms.reduce((sum, term) => sum + term, 0);
}
