// y[row, j] = e^(x[row, j] − max) / Σ_k e^(x[row, k] − max)      with LOG: x[row, j] − max − ln Σ_k e^(x[row, k] − max)
//
// LANES invocations make one row, see row/place.   VECTOR: rows are whole vec4s and are taken four elements at a time.
// LOG: see above.   WORKGROUP: invocations of a workgroup.
// Layouts: x, y [rows, columns].
//#use softmax/common
//#use row/largest

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

fn element(at: u32) -> Element {
  return x[at];
}

fn term(which: u32, start: u32, column: u32, top: vec2f) -> Element {
  return exponential(x[start + column] - top.x);
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
  let top = row_largest(start, lane);
  let total = row_sum(0u, start, lane, vec2f(top, 0.0));
  //#if LOG
  // A total of NaN makes the row NaN; the driver's logarithm may not.
  let shift = select(log(total), total, is_nan(total));
  for (var i = start + lane; i < end; i += LANES) {
    y[i] = x[i] - top - shift;
  }
  //#else
  for (var i = start + lane; i < end; i += LANES) {
    y[i] = exp(x[i] - top) / total;
  }
  //#end
}
