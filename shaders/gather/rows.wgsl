// y[i] = table[indices[i]], rows of `columns`; a row of zeros for an index beyond the table.
// The table comes in windows: this call has its rows first_row … first_row + table_rows − 1 and writes only what they give,
// with FIRST also zeros everywhere else. table: [table_rows, columns], indices: [rows], y: [rows, columns]
//
// Elements are moved as bits, so that it serves every data type. One invocation makes one element of y. FIRST: see above.
// ELEMENT: u32 or f16, or vec4u or vec4h when rows are whole vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  first_row: u32,
  table_rows: u32,
}

alias Element = {{ELEMENT}};

@group(0) @binding(0) var<storage, read> table: array<Element>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.rows * params.columns) {
    return;
  }
  let i = at / params.columns;
  // An index before the window wraps to a number above every row of it.
  let row = indices[i] - params.first_row;
  if (row < params.table_rows) {
    y[at] = table[row * params.columns + at - i * params.columns];
    //#if FIRST
  } else {
    y[at] = Element();
    //#end
  }
}
