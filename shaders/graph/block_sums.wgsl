// sums[b] = Σ in_degree[i] over the block i = b·length … (b + 1)·length − 1, the first half of a prefix sum.   in_degree: [rows], sums: [blocks]
//
// One invocation makes one block. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  length: u32,
  blocks: u32,
}

@group(0) @binding(0) var<storage, read> in_degree: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (block >= params.blocks) {
    return;
  }
  var sum = 0u;
  for (var i = block * params.length; i < min((block + 1u) * params.length, params.rows); i++) {
    sum += in_degree[i];
  }
  sums[block] = sum;
}
