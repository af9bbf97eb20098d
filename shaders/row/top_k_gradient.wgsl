// dx[row, j] = dvalues[row, t] where indices[row, t] = j, 0 where there is no such t.
// dvalues, indices: [rows, k], dx: [rows, columns]
//
// LANES invocations make one row, see row/place, each the columns j ≡ lane (mod LANES): zeros first, then what is given.
// WORKGROUP: invocations of a workgroup.
//#use row/place
struct Params {
  rows: u32,
  columns: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> dvalues: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

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
  for (var column = lane; column < params.columns; column += LANES) {
    dx[start + column] = 0.0;
  }
  for (var t = row * params.k; t < (row + 1u) * params.k; t++) {
    let column = indices[t];
    if (column % LANES == lane) {
      dx[start + column] = dvalues[t];
    }
  }
}
