import { GpuError } from "../device/errors.ts";
import type { Grid } from "./argument.ts";

/** A part of a grid, and the number of its first workgroup in the whole. */
export interface GridPart {
  readonly grid: Grid;
  readonly first: Grid;
}

/** Fields that {@link overPart} adds to a kernel's Params. */
export const firstGroup = ["first_group_x", "first_group_y", "first_group_z"] as const;

/** Cuts a grid into parts of at most `most` workgroups along each axis; nearly always it is one. */
export function partsOfGrid(grid: Grid, most: number): GridPart[] {
  let parts: GridPart[] = [{ grid, first: [0, 0, 0] }];
  for (const axis of [2, 1, 0]) {
    if (grid[axis]! <= most) continue;
    parts = parts.flatMap((part) =>
      Array.from({ length: Math.ceil(grid[axis]! / most) }, (_, i) => ({
        grid: withExtent(part.grid, axis, Math.min(most, grid[axis]! - i * most)),
        first: withExtent(part.first, axis, i * most),
      })),
    );
  }
  return parts;
}

function withExtent(grid: Grid, axis: number, extent: number): Grid {
  return grid.map((own, i) => (i === axis ? extent : own)) as unknown as Grid;
}

/**
 * The same kernel for a part of its grid: its numbers of workgroups and invocations stay those in the whole grid.
 * @throws GpuError when it counts its workgroups, which are those of the part, or has no Params
 */
export function overPart(wgsl: string, workgroup: readonly number[], file: string): string {
  if (/@builtin\(num_workgroups\)/.test(wgsl) || !/struct\s+Params\s*\{/.test(wgsl)) {
    throw new GpuError(
      `${file}: a grid larger than the adapter takes needs a kernel with Params that does not count its workgroups`,
    );
  }
  const moved: string[] = [];
  const first = `vec3u(${firstGroup.map((field) => `params.${field}`).join(", ")})`;
  return wgsl
    .replace(/@builtin\((workgroup_id|global_invocation_id)\)\s+(\w+)/g, (_, builtin: string, name: string) => {
      const step = builtin === "workgroup_id" ? "" : ` * vec3u(${workgroup.map((extent) => `${extent}u`).join(", ")})`;
      moved.push(`  let ${name} = ${name}_in_part + ${first}${step};`);
      return `@builtin(${builtin}) ${name}_in_part`;
    })
    .replace(/struct\s+Params\s*\{/, (head) => `${head}\n${firstGroup.map((field) => `  ${field}: u32,`).join("\n")}`)
    .replace(/fn\s+main\s*\([^{]*\)\s*\{/, (head) => `${head}\n${moved.join("\n")}`);
}
