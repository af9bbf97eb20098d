// W = D^−½ A D^−½:   values[e] *= scale[i] · scale[columns[e]] for the entries e of row i.
//
// row_start: [rows + 1]. columns, values: entries. scale: [rows].
// One invocation takes one row. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
}

@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let end = row_start[row + 1u];
  for (var e = row_start[row]; e < end; e++) {
    values[e] *= scale[row] * scale[columns[e]];
  }
}
