// Softmax:               dx[row, j] = y[row, j] · (dy[row, j] − Σ_k dy[row, k] · y[row, k])
// Log-softmax, LOG:      dx[row, j] = dy[row, j] − e^y[row, j] · Σ_k dy[row, k]
//
// LANES invocations make one row, see row/place.   VECTOR: rows are whole vec4s and are taken four elements at a time.
// WORKGROUP: invocations of a workgroup.
// Layouts: y (the output of softmax/rows), dy, dx [rows, columns].
//#use softmax/common

@group(0) @binding(0) var<storage, read> y: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, given: vec2f) -> Element {
  //#if LOG
  return dy[start + column];
  //#else
  return dy[start + column] * y[start + column];
  //#end
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
  let total = row_sum(0u, start, lane, vec2f());
  for (var i = start + lane; i < end; i += LANES) {
    //#if LOG
    dx[i] = dy[i] - exponential(y[i]) * total;
    //#else
    dx[i] = y[i] * (dy[i] - total);
    //#end
  }
}
