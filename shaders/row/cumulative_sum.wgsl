// y[row, j] = Σ x[row, i] over i ≤ j, with REVERSE over i ≥ j, with EXCLUSIVE without i = j.   x, y: [rows, columns]
//
// LANES invocations make one row, see row/place and row/running.   REVERSE, EXCLUSIVE: see above.   WORKGROUP: invocations of a workgroup.
//#use row/running
struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Where number i of a row lies, counted from the end at which sums begin.
fn place(row: u32, i: u32) -> u32 {
  //#if REVERSE
  return (row + 1u) * params.columns - 1u - i;
  //#else
  return row * params.columns + i;
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
  //#if LANES != 1
  for (var chunk = index; chunk < CHUNKS; chunk += LANES) {
    let bounds = chunk_bounds(chunk);
    var sum = Running();
    for (var i = bounds.x; i < bounds.y; i++) {
      sum = plus_one(sum, x[place(row, i)]);
    }
    keep(0u, chunk, sum);
  }
  kept();
  //#end
  for (var chunk = index % LANES; chunk < CHUNKS; chunk += LANES) {
    let bounds = chunk_bounds(chunk);
    var sum = between(0u, 0u, chunk);
    for (var i = bounds.x; i < bounds.y; i++) {
      //#if EXCLUSIVE
      y[place(row, i)] = sum.total;
      //#end
      sum = plus_one(sum, x[place(row, i)]);
      //#if !EXCLUSIVE
      y[place(row, i)] = sum.total;
      //#end
    }
  }
}
