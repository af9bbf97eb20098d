// shift[c] = mean of x[i, c] over sampled rows, rounded to five significant bits.   x: [rows, channels], shift: [channels]
//
// Distances do not change when all points move together, but |a|² + |b|² − 2ab loses digits far from the origin. Any point
// near the data will do, hence a sample; few bits, so that points on a lattice stay on one and their ties stay exact.
// The rows 0, stride, 2·stride, … are sampled. One invocation makes one channel. WORKGROUP: invocations of a workgroup.
struct Params {
  samples: u32,
  stride: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> shift: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (c >= params.channels) {
    return;
  }
  var sum = 0.0;
  for (var i = 0u; i < params.samples; i++) {
    sum += x[i * params.stride * params.channels + c];
  }
  let mean = sum / f32(params.samples);
  shift[c] = bitcast<f32>((bitcast<u32>(mean) + 0x40000u) & 0xfff80000u);
}
