// y[i, :] = targets[label[i] − 1, :] for a labelled row, 0 for the others (label[i] = 0).
//
// targets: [labelled, columns], label: [rows], y: [rows, columns]. count = rows · columns.
// One invocation makes one element. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<f32>;
@group(0) @binding(1) var<storage, read> label: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let row = i / params.columns;
  let number = label[row];
  var value = 0.0;
  if (number > 0u) {
    value = targets[(number - 1u) * params.columns + i - row * params.columns];
  }
  y[i] = value;
}
