// Noise on each sample of a picture, clipped to [0, 1], from two random words a sample.
//   KIND white:   y = x + √amount · n, n standard normal (Box & Muller 1958), amount the variance
//   KIND impulse: y = 0 or 1, half each, with probability amount, else x
//   KIND speckle: y = x + x · √(12·amount) · (v − 1/2), v uniform, amount the variance of what x is multiplied by
// words: u32 [2·count], uniform (random/words.wgsl); sample i takes words 2i and 2i + 1. x, y: [count].
//
// One invocation makes one sample. KIND: white, impulse or speckle.   WORKGROUP: invocations of a workgroup.
//#use distort/normals
struct Params {
  count: u32,
  amount: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
//#if KIND == white
  let normal = normals(words[2u * index], words[2u * index + 1u]).x;
  y[index] = clamp(x[index] + sqrt(params.amount) * normal, 0.0, 1.0);
//#else
  // 24 bits each.
  let u = (f32(words[2u * index] >> 8u) + 1.0) / 16777216.0;
  let v = f32(words[2u * index + 1u] >> 8u) / 16777216.0;
//#if KIND == impulse
  y[index] = select(x[index], select(0.0, 1.0, v < 0.5), u <= params.amount);
//#else
  y[index] = clamp(x[index] + x[index] * sqrt(12.0 * params.amount) * (v - 0.5), 0.0, 1.0);
//#end
//#end
}
