// dx[row, j] = dvalues[row, t] where indices[row, t] = j, 0 where there is no such t.
// dvalues, indices: [rows, k], dx: [rows, columns]
//
// One invocation makes one element of dx. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> dvalues: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.rows * params.columns) {
    return;
  }
  let row = at / params.columns;
  let column = at - row * params.columns;
  var value = 0.0;
  for (var t = row * params.k; t < (row + 1u) * params.k; t++) {
    if (indices[t] == column) {
      value = dvalues[t];
    }
  }
  dx[at] = value;
}
