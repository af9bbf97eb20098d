// y[h, w, c] = Σ_i weights[i] · x[h + i − taps/2, w, c], or along w where ALONG is width; positions outside taken from the nearest
// edge. Two passes make a separable filter of two dimensions. x, y: [height, width, channels], weights: [taps], taps odd.
//
// One invocation makes one element of y. ALONG: height or width.   WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  channels: u32,
  taps: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width * params.channels) {
    return;
  }
//#if ALONG == height
  let step = params.width * params.channels;
  let extent = params.height;
//#else
  let step = params.channels;
  let extent = params.width;
//#end
  let place = (index / step) % extent;
  let first = index - place * step;
  let reach = i32(params.taps / 2u);
  var sum = 0.0;
  for (var i = 0u; i < params.taps; i++) {
    let at = u32(clamp(i32(place + i) - reach, 0, i32(extent) - 1));
    sum = fma(weights[i], x[first + at * step], sum);
  }
  y[index] = sum;
}
