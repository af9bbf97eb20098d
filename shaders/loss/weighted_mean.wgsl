// y[0] = Σ_i weights[i] · rows[i] / divisor
//
// LANES invocations make the one row, see row/place.   VECTOR: false.   WORKGROUP: invocations of a workgroup.
// Layouts: rows, weights [1, columns].
//#use row/sum
struct Params {
  rows: u32,
  columns: u32,
  divisor: f32,
}

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, given: vec2f) -> f32 {
  return weights[start + column] * rows[start + column];
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
  let sum = row_sum(0u, 0u, lane, vec2f());
  if (lane == 0u) {
    y[0] = sum / params.divisor;
  }
}
