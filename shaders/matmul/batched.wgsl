// out[e] = A[e] · B[e] for every entry e of a batch        A: [batch, rows, inner], B: [batch, inner, columns]
//
// One invocation makes ROWS rows of one column of Elements: a vec4 of columns with VECTOR (columns are whole vec4s), else
// one number. Neighbouring invocations have neighbouring columns; each Element of B is loaded once for ROWS outputs.
// ROWS: 1..8.   WORKGROUP: invocations of a workgroup.
// Layouts: row-major; out [batch, rows, columns].
struct Params {
  batch: u32,
  rows: u32,
  inner: u32,
  columns: u32, // in Elements
}

//#if VECTOR
alias Element = vec4f;
//#else
alias Element = f32;
//#end

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let blocks = (params.rows + {{ROWS}}u - 1u) / {{ROWS}}u;
  if (index >= params.batch * blocks * params.columns) {
    return;
  }
  let line = index / params.columns;
  let column = index - line * params.columns;
  let entry = line / blocks;
  let row0 = (line - entry * blocks) * {{ROWS}}u;
  //#for r in 0..ROWS
  let row_{{r}} = (entry * params.rows + min(row0 + {{r}}u, params.rows - 1u)) * params.inner;
  var sum_{{r}} = Element();
  //#end
  var at = entry * params.inner * params.columns + column;
  for (var i = 0u; i < params.inner; i++) {
    let element = b[at];
    //#for r in 0..ROWS
    sum_{{r}} += a[row_{{r}} + i] * element;
    //#end
    at += params.columns;
  }
  //#for r in 0..ROWS
  if (row0 + {{r}}u < params.rows) {
    out[(entry * params.rows + row0 + {{r}}u) * params.columns + column] = sum_{{r}};
  }
  //#end
}
