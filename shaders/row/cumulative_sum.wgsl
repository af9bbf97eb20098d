// y[row, j] = Σ x[row, i] over i ≤ j, with REVERSE over i ≥ j.   x, y: [rows, columns]
//
// One invocation makes one row. Every BLOCK elements the running sum joins that of the blocks before, which keeps rounding
// small on long rows. REVERSE: see above.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  var before = 0.0;
  var running = 0.0;
  for (var i = 0u; i < params.columns; i++) {
    //#if REVERSE
    let at = (row + 1u) * params.columns - 1u - i;
    //#else
    let at = row * params.columns + i;
    //#end
    if (i % {{BLOCK}}u == 0u) {
      before += running;
      running = 0.0;
    }
    running += x[at];
    y[at] = before + running;
  }
}
