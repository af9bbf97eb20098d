// y[row, c] = x[row, c] / n,  n = max(‖x[row]‖, ε)
// With GRADIENT: dx = (dy − x · (x · dy)/n²)/n where ‖x[row]‖ > ε, else dy/ε
// x, y, dy, dx: [rows, columns]
//
// One invocation makes one row. GRADIENT: see above.   VECTOR: rows are whole vec4s and columns counts these.
// WORKGROUP: invocations of a workgroup.
//#use number/nan
//#use number/total

struct Params {
  rows: u32,
  columns: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
//#if GRADIENT
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> dx: array<Element>;
//#else
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let end = start + params.columns;
  var squares = Element();
  for (var i = start; i < end; i++) {
    squares += x[i] * x[i];
  }
  let length = sqrt(total(squares));
  // A row with NaN has a length of NaN, which max() may drop.
  let inverse = 1.0 / select(max(length, params.epsilon), length, is_nan(length));
  //#if GRADIENT
  var product = Element();
  for (var i = start; i < end; i++) {
    product += (x[i] * inverse) * dy[i];
  }
  let along = select(0.0, total(product), length > params.epsilon);
  for (var i = start; i < end; i++) {
    dx[i] = (dy[i] - (x[i] * inverse) * along) * inverse;
  }
  //#else
  for (var i = start; i < end; i++) {
    y[i] = x[i] * inverse;
  }
  //#end
}
