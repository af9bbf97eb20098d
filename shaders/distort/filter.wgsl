// y[h, w, c] = Σ_i Σ_j kernel[i, j] · x[h + i − side/2, w + j − side/2, c], positions outside taken from the nearest edge.
// x, y: [height, width, channels], kernel: [side, side], side odd.
//
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  channels: u32,
  side: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> kernel: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width * params.channels) {
    return;
  }
  let position = index / params.channels;
  let c = index - position * params.channels;
  let h = position / params.width;
  let w = position - h * params.width;
  let reach = i32(params.side / 2u);
  var sum = 0.0;
  for (var i = 0u; i < params.side; i++) {
    let row = u32(clamp(i32(h + i) - reach, 0, i32(params.height) - 1));
    for (var j = 0u; j < params.side; j++) {
      let column = u32(clamp(i32(w + j) - reach, 0, i32(params.width) - 1));
      sum = fma(kernel[i * params.side + j], x[(row * params.width + column) * params.channels + c], sum);
    }
  }
  y[index] = sum;
}
