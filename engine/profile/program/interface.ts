import { withoutComments } from "../../harness/interface.ts";

/** What is read of a kernel's WGSL for a profile. */
export interface ShaderText {
  /** Variables by "group binding". */
  readonly variables: ReadonlyMap<string, { readonly name: string; readonly type: string; readonly writable: boolean }>;
  /** Numbers of an entry point's workgroup; zeros where they are expressions. */
  workgroup(entryPoint: string, constants: Readonly<Record<string, number>>): [number, number, number];
  /** The compute entry point, where there is one only. */
  readonly only: string | undefined;
}

const variable = /((?:@\w+\s*\([^)]*\)\s*)+)var\s*(?:<\s*(\w+)\s*(?:,\s*(\w+)\s*)?>)?\s*(\w+)\s*:\s*([^;=]+);/g;

/** Reads bindings and workgroup sizes. What is not plain is left out. */
export function readShader(wgsl: string): ShaderText {
  const text = withoutComments(wgsl);
  const variables = new Map<string, { name: string; type: string; writable: boolean }>();
  for (const [, attributes, , access, name, type] of text.matchAll(variable)) {
    const place = (attribute: string) => new RegExp(`@${attribute}\\s*\\(\\s*(\\d+)`).exec(attributes!)?.[1] ?? "?";
    const written = type!.replace(/\s+/g, " ").trim();
    variables.set(`${place("group")} ${place("binding")}`, {
      name: name!,
      type: written,
      writable: access === "read_write" || /,\s*write\s*>/.test(written),
    });
  }
  const entries = [...text.matchAll(/((?:@\w+\s*(?:\([^)]*\)\s*)?)+)fn\s+(\w+)/g)]
    .filter(([, attributes]) => /@compute\b/.test(attributes!))
    .map(([, attributes, name]) => [name!, /@workgroup_size\s*\(([^)]*)\)/.exec(attributes!)?.[1] ?? "1"] as const);
  const sizes = new Map(entries);
  return {
    variables,
    only: entries.length === 1 ? entries[0]![0] : undefined,
    workgroup(entryPoint, constants) {
      const words = (sizes.get(entryPoint) ?? "0,0,0").split(",").map((word) => word.trim());
      const number = (word = "1") => numberOf(word === "" ? "1" : word, text, constants);
      return [number(words[0]), number(words[1]), number(words[2])];
    },
  };
}

/** A number, or a constant or override of the source that is one; 0 for anything else. */
function numberOf(word: string, text: string, constants: Readonly<Record<string, number>>): number {
  const digits = /^(\d+)[ui]?$/.exec(word)?.[1];
  if (digits !== undefined) return Number(digits);
  if (!/^\w+$/.test(word)) return 0;
  if (Object.hasOwn(constants, word)) return constants[word]!;
  const value = new RegExp(`\\b(?:const|override)\\s+${word}\\s*(?::\\s*\\w+\\s*)?=\\s*(\\d+)[ui]?\\s*;`).exec(
    text,
  )?.[1];
  return value === undefined ? 0 : Number(value);
}

const scalars: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, f16: 2 };

/** Bytes that a shader sees, in elements where its text tells their type: `[1024] f32`, else `[4096] bytes`. */
export function boundText(bytes: number, type: string | undefined): string {
  const inner = /^array\s*<\s*(?:atomic\s*<\s*)?(?:vec[234]\s*<\s*)?(\w+)/.exec(type ?? "")?.[1] ?? "";
  const short = /^vec[234]([fiuh])$/.exec(inner)?.[1];
  const scalar = short ? { f: "f32", i: "i32", u: "u32", h: "f16" }[short]! : inner;
  const size = scalars[scalar];
  return size === undefined ? `[${bytes}] bytes` : `[${bytes / size}] ${scalar}`;
}
