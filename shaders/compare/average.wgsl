// Means of side x side numbers at every side-th place, zeros outside, as MATLAB's conv2(x, ones(side) / side², "same") has them:
//
//   y[i, j] = 1/side² Σ x[i·side + u, j·side + v]      u and v from ⌊side/2⌋ − side + 1 to ⌊side/2⌋
//
// x: [height, width], y: [⌈height/side⌉, ⌈width/side⌉].
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  side: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let columns = (params.width + params.side - 1u) / params.side;
  let row = index / columns;
  let h = row * params.side;
  let w = (index - row * columns) * params.side;
  if (h >= params.height) {
    return;
  }
  let before = params.side - 1u - params.side / 2u;
  let bottom = min(h + params.side / 2u, params.height - 1u);
  let right = min(w + params.side / 2u, params.width - 1u);
  var total = 0.0;
  for (var i = max(h, before) - before; i <= bottom; i++) {
    for (var j = max(w, before) - before; j <= right; j++) {
      total += x[i * params.width + j];
    }
  }
  y[index] = total / f32(params.side * params.side);
}
