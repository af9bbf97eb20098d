/**
 * The same kernel in subgroups of so many invocations, for adapters that have several sizes and the feature
 * `subgroup-size-control`. The first extent of its workgroup is a multiple of `lanes`.
 */
export function inSubgroupsOf(lanes: number, wgsl: string): string {
  return `enable subgroup_size_control;\n${wgsl.replace(/@workgroup_size\([^)]*\)/, (size) => `${size} @subgroup_size(${lanes})`)}`;
}
