// y[i, y_first + c] = x[i, x_first + c] for c < used, and 0 for c = used … width − 1.   x: [rows, x_stride], y: [rows, y_stride]
//
// One invocation copies one element. count = rows · width.   WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  width: u32,
  used: u32,
  x_stride: u32,
  x_first: u32,
  y_stride: u32,
  y_first: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let row = i / params.width;
  let c = i - row * params.width;
  var value = 0.0;
  if (c < params.used) {
    value = x[row * params.x_stride + params.x_first + c];
  }
  y[row * params.y_stride + params.y_first + c] = value;
}
