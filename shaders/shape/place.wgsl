// y[row, first + c] = x[row, c]: rows of x become part of longer rows of y, whose other places stay as they are.
// x: [rows, x_columns], y: [rows, y_columns]
//
// Elements are moved as bits, so that it serves every data type. One invocation moves one element. ELEMENT: u32 or f16,
// or vec4u or vec4h when all columns count vec4s.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  x_columns: u32,
  y_columns: u32,
  first: u32,
}

alias Element = {{ELEMENT}};

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.rows * params.x_columns) {
    return;
  }
  let row = index / params.x_columns;
  y[row * params.y_columns + params.first + index - row * params.x_columns] = x[index];
}
