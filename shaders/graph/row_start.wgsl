// Where the rows of a symmetric graph begin, row i holding `degree` edges of its own and in_degree[i] of others:
//
//   row_start[i] = i·degree + Σ_{j < i} in_degree[j],   i = 0 … rows
//
// sums: in_degree summed over blocks of `length` rows (graph/block_sums.wgsl). row_start: [rows + 1].
// One invocation makes one block; it adds the blocks before its own again, which with √rows blocks is less than the block.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  length: u32,
  blocks: u32,
  degree: u32,
}

@group(0) @binding(0) var<storage, read> in_degree: array<u32>;
@group(0) @binding(1) var<storage, read> sums: array<u32>;
@group(0) @binding(2) var<storage, read_write> row_start: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let own = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (own >= params.blocks) {
    return;
  }
  var before = 0u;
  for (var block = 0u; block < own; block++) {
    before += sums[block];
  }
  let end = min((own + 1u) * params.length, params.rows);
  for (var i = own * params.length; i < end; i++) {
    row_start[i] = i * params.degree + before;
    before += in_degree[i];
  }
  if (end == params.rows) {
    row_start[end] = end * params.degree + before;
  }
}
