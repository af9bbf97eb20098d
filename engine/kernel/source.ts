import { overPart } from "./cut.ts";
import { resolved, withHalfStorage, withTextures } from "./storage.ts";
import { inSubgroupsOf } from "./subgroup.ts";
import { type Constants, expand, TemplateError } from "./template.ts";
import { enginePart, kernelText } from "./text.ts";

/** One `var<storage>` of a kernel. */
export interface BindingSlot {
  readonly name: string;
  readonly binding: number;
  readonly writable: boolean;
  /** Its elements are numbers that are computed with, not bits that are moved. */
  readonly isFloat: boolean;
  /** It is read from a texture with the bits of its argument. */
  readonly texture: boolean;
}

/** One 4-byte field of a kernel's `struct Params`. */
export interface ParameterField {
  readonly name: string;
  readonly type: "u32" | "i32" | "f32";
}

/** A kernel file after the template step, with what the dispatcher must know about it read from the source itself. */
export interface KernelSource {
  readonly file: string;
  readonly wgsl: string;
  readonly bindings: readonly BindingSlot[];
  readonly parameters: readonly ParameterField[];
  readonly workgroup: readonly [number, number, number];
  /** Where the uniform `params` lies in group 0: behind the storage buffers, so that a dispatch binds one group. */
  readonly parameterBinding: number;
}

/**
 * Reads `shaders/<name>.wgsl`, specialises it and reflects its interface:
 * group 0 holds the storage buffers, group 1 at most one uniform, `var<uniform> params: Params`, of 4-byte scalars, which
 * the specialised source has behind the storage buffers.
 * @param constants those of the file; SUBGROUP is taken here, as {@link inSubgroupsOf} has it
 * @param halves storage variables whose elements lie in memory as f16
 * @param cut for a part of a grid, as {@link overPart} makes it
 * @param textures storage variables that are read from textures
 * @throws TemplateError when a constant is missing or the interface is not of that form
 */
export function specialise(
  name: string,
  { SUBGROUP, ...constants }: Constants,
  halves: readonly string[] = [],
  cut = false,
  textures: readonly string[] = [],
): KernelSource {
  const file = `${name}.wgsl`;
  const whole = withHalfStorage(expand(kernelText(name), constants, file, enginePart), halves, file);
  const text = SUBGROUP === undefined ? whole : inSubgroupsOf(Number(SUBGROUP), whole);
  const shown = withTextures(text, textures, file);
  const bindings = [
    ...text.matchAll(
      /@group\(0\)\s*@binding\((\d+)\)\s*var<storage\s*(?:,\s*(\w+)\s*)?>\s*(\w+)\s*:\s*array<\s*(\w+)/g,
    ),
  ].map((m) => ({
    binding: Number(m[1]),
    writable: m[2] === "read_write",
    name: m[3]!,
    isFloat: /^(f32|f16|vec[24][fh])$/.test(resolved(text, m[4]!)),
    texture: textures.includes(m[3]!),
  }));
  if (bindings.length === 0) throw new TemplateError(`${file}: no storage binding in group 0`);
  const parameterBinding = Math.max(...bindings.map(({ binding }) => binding)) + 1;
  const size = /@workgroup_size\(\s*(\w+)\s*(?:,\s*(\w+)\s*)?(?:,\s*(\w+)\s*)?\)/.exec(text);
  if (!size) throw new TemplateError(`${file}: no @workgroup_size`);
  const extent = (text: string | undefined) => (text === undefined ? 1 : Number.parseInt(text, 10));
  const workgroup = [extent(size[1]), extent(size[2]), extent(size[3])] as const;
  const bound = shown.replace(
    /@group\(1\)\s*@binding\(0\)(?=\s*var<uniform>)/,
    `@group(0) @binding(${parameterBinding})`,
  );
  const wgsl = cut ? overPart(bound, workgroup, file) : bound;
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(wgsl);
  const parameters = [...(struct?.[1] ?? "").replace(/\/\/.*$/gm, "").matchAll(/(\w+)\s*:\s*(\w+)/g)].map((m) => {
    if (m[2] !== "u32" && m[2] !== "i32" && m[2] !== "f32") {
      throw new TemplateError(`${file}: field ${m[1]} of Params is ${m[2]}; only u32, i32 and f32 are packed`);
    }
    return { name: m[1]!, type: m[2] as ParameterField["type"] };
  });
  return { file, wgsl, bindings, parameters, workgroup, parameterBinding };
}
