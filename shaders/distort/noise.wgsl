// Noise on each sample of a picture, clipped to [0, 1]; a function of (seed, sample number) alone.
//   KIND white:   y = x + √amount · n, n standard normal (Box & Muller 1958), amount the variance
//   KIND impulse: y = 0 or 1, half each, with probability amount, else x
// Random words: Philox4x32-10 (Salmon et al. 2011) of counter (sample number, 0, 0, 0) under the key (seed, KIND's number).
//
// One invocation makes one sample. KIND: white or impulse.   WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  seed: u32,
  amount: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// High word of a 32 x 32 bit product, from 16-bit halves.
fn high_word(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u);
}

fn philox(start: vec4u, start_key: vec2u) -> vec4u {
  var c = start;
  var key = start_key;
  for (var round = 0; round < 10; round++) {
    c = vec4u(
      high_word(0xCD9E8D57u, c.z) ^ c.y ^ key.x,
      0xCD9E8D57u * c.z,
      high_word(0xD2511F53u, c.x) ^ c.w ^ key.y,
      0xD2511F53u * c.x,
    );
    key += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  //#if KIND == white
  let words = philox(vec4u(index, 0u, 0u, 0u), vec2u(params.seed, 1u));
  //#else
  let words = philox(vec4u(index, 0u, 0u, 0u), vec2u(params.seed, 2u));
  //#end
  // 24 bits each, the first in (0, 1] for the logarithm.
  let u = (f32(words.x >> 8u) + 1.0) / 16777216.0;
  let v = f32(words.y >> 8u) / 16777216.0;
  //#if KIND == white
  let normal = sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
  y[index] = clamp(x[index] + sqrt(params.amount) * normal, 0.0, 1.0);
  //#else
  y[index] = select(x[index], select(0.0, 1.0, v < 0.5), u <= params.amount);
  //#end
}
