// y[row, c] = x[row, c] for c below both widths, 0 beyond.    x: [rows, x_columns], y: [rows, y_columns]
// Adds zero columns when y is wider, drops columns when it is narrower.
//
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  x_columns: u32,
  y_columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.rows * params.y_columns) {
    return;
  }
  let row = index / params.y_columns;
  let column = index - row * params.y_columns;
  if (column < params.x_columns) {
    y[index] = x[row * params.x_columns + column];
  } else {
    y[index] = 0.0;
  }
}
