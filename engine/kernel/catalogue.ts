import { partsOf } from "./template.ts";
import { enginePart, kernelText, shaderNames, wholeText } from "./text.ts";

/** A built-in kernel as its file describes it. */
export interface CatalogueEntry {
  /** Path below `shaders/` without `.wgsl`. */
  readonly name: string;
  /** First line of the opening comment. */
  readonly summary: string;
  /** Constants that the file is specialised with. */
  readonly constants: readonly string[];
  /** Parts that the file uses, or a part of it does, under some constants. */
  readonly parts: readonly string[];
  /** Storage variables by binding, those of all variants. */
  readonly bindings: readonly {
    readonly name: string;
    readonly binding: number;
    readonly writable: boolean;
    readonly type: string;
  }[];
}

/** Names of all built-in kernels, sorted. */
export function kernelNames(): string[] {
  return shaderNames().kernels;
}

/** Reads what a kernel's own file says of it. */
export function catalogueEntry(name: string): CatalogueEntry {
  const own = kernelText(name);
  const summary = /^\/\/\s*(.*?)\s*$/m.exec(own)?.[1] ?? "";
  const parts = [...partsOf(own, enginePart, `${name}.wgsl`).keys()];
  const text = wholeText(name);
  const slots = text.matchAll(
    /@group\(0\)\s*@binding\((.+?)\)\s*var<storage\s*(?:,\s*(\w+)\s*)?>\s*(\S+)\s*:\s*([^;]+);/g,
  );
  const bindings = [...slots].map(([, binding, access, variable, type]) => ({
    name: variable!,
    binding: Number(binding),
    writable: access === "read_write",
    type: type!,
  }));
  return { name, summary, constants: constantsIn(text), parts, bindings };
}

/** Names that the template step needs, in the order in which they stand; loop variables excluded. */
function constantsIn(text: string): string[] {
  const loops = new Set([...text.matchAll(/^\s*\/\/#for\s+(\w+)\s+in/gm)].map(([, name]) => name));
  const uses = /\{\{(\w+)\}\}|^\s*\/\/#if\s+!?(\w+)|^\s*\/\/#for\s+\w+\s+in\s+(\w+)\.\.(\w+)/gm;
  const names = new Set<string>();
  for (const [, ...found] of text.matchAll(uses)) {
    for (const name of found) if (name && !/^\d+$/.test(name) && !loops.has(name)) names.add(name);
  }
  return [...names];
}
