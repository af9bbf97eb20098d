// y[b, j, i] = x[b, i, j]      x: [batch, rows, columns], y: [batch, columns, rows]
//
// One invocation moves one element of y, whose bits it does not look at.
// ELEMENT: u32, or f16 for elements of 16 bits.   WORKGROUP: invocations of a workgroup.
struct Params {
  batch: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<{{ELEMENT}}>;
@group(0) @binding(1) var<storage, read_write> y: array<{{ELEMENT}}>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let slab = params.rows * params.columns;
  if (index >= params.batch * slab) {
    return;
  }
  let b = index / slab;
  let inside = index - b * slab;
  let j = inside / params.rows;
  let i = inside - j * params.rows;
  y[index] = x[b * slab + i * params.columns + j];
}
