// Inverts a list of indices: places[starts[v] …] are the numbers i of those with indices[i] = v < rows.
// indices: [count], starts: [rows + 1], counts: [rows], counted down to 0, places: [count]. The order within v depends on
// that of the invocations; gather/order.wgsl takes that away.
//
// One invocation takes one index. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let v = indices[i];
  if (v < params.rows) {
    places[starts[v] + atomicSub(&counts[v], 1u) - 1u] = i;
  }
}
