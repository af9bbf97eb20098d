// y[row, c] = x[row, c] / n,  n = max(‖x[row]‖, ε)
// With GRADIENT: dx = (dy − x · (x · dy)/n²)/n where ‖x[row]‖ > ε, else dy/ε
// x, y, dy, dx: [rows, columns]
//
// LANES invocations make one row, see row/place.   GRADIENT: see above.   VECTOR: rows are whole vec4s and columns counts these.
// WORKGROUP: invocations of a workgroup.
//#use number/nan
//#use row/sum

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

fn term(which: u32, start: u32, column: u32, given: vec2f) -> Element {
  let v = x[start + column];
  //#if GRADIENT
  if (which == 1u) {
    return (v * given.x) * dy[start + column];
  }
  //#end
  return v * v;
}

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let row = row_of(group, groups, index);
  if (row >= params.rows) {
    return;
  }
  let lane = index % LANES;
  let start = row * params.columns;
  let end = start + params.columns;
  let length = sqrt(row_sum(0u, start, lane, vec2f()));
  // A row with NaN has a length of NaN, which max() may drop.
  let inverse = 1.0 / select(max(length, params.epsilon), length, is_nan(length));
  //#if GRADIENT
  let along = select(0.0, row_sum(1u, start, lane, vec2f(inverse, 0.0)), length > params.epsilon);
  for (var i = start + lane; i < end; i += LANES) {
    dx[i] = (dy[i] - (x[i] * inverse) * along) * inverse;
  }
  //#else
  for (var i = start + lane; i < end; i += LANES) {
    y[i] = x[i] * inverse;
  }
  //#end
}
