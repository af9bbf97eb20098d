// y[row, c] = x[row, c] for c below both widths, 0 beyond.    x: [rows, x_columns], y: [rows, y_columns]
// Adds zero columns when y is wider, drops columns when it is narrower.
//
// One invocation makes VECTORS vec4s of y beside each other, with one division; the last one may reach past the end, into
// the padding of the buffer.
// WORKGROUP: invocations of a workgroup.   VECTORS: 1..8.
// ALIGNED: y_columns is a multiple of 4, so that each vec4 lies in one row.
struct Params {
  rows: u32,
  x_columns: u32,
  y_columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let first = (id.x + id.y * (groups.x * {{WORKGROUP}}u)) * {{VECTORS}}u;
  let end = params.rows * params.y_columns;
  var row = (4u * first) / params.y_columns;
  var column = 4u * first - row * params.y_columns;
  //#for v in 0..VECTORS
  if (4u * (first + {{v}}u) < end) {
    var numbers: vec4f;
    //#for k in 0..4
    //#if ALIGNED
    numbers[{{k}}] = select(0.0, x[row * params.x_columns + column + {{k}}u], column + {{k}}u < params.x_columns);
    //#else
    numbers[{{k}}] = select(0.0, x[row * params.x_columns + column], column < params.x_columns);
    column++;
    if (column == params.y_columns) {
      column = 0u;
      row++;
    }
    //#end
    //#end
    y[first + {{v}}u] = numbers;
  }
  //#if ALIGNED
  column += 4u;
  if (column == params.y_columns) {
    column = 0u;
    row++;
  }
  //#end
  //#end
}
