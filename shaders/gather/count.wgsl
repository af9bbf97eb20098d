// counts[v] += 1 for every index v below `rows`.   indices: [count], counts: [rows]
//
// One invocation takes one index; integers, so that the order does not matter. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count && indices[i] < params.rows) {
    atomicAdd(&counts[indices[i]], 1u);
  }
}
