// in_degree[n] += 1 for every edge row → n.   indices: [count] edges, `degree` of each row, from row first_row on; in_degree: [points]
//
// An edge to a point that does not exist counts as one from the row to itself (see graph/fill.wgsl).
// One invocation takes one edge; integers, so that the order does not matter. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  degree: u32,
  first_row: u32,
  points: u32,
}

@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read_write> in_degree: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let row = params.first_row + i / params.degree;
  let index = indices[i];
  atomicAdd(&in_degree[select(row, index, index < params.points)], 1u);
}
