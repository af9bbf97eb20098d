// White noise in Y, Cb, Cr of ITU-R BT.601 (16 to 235 and 16 to 240 of 255), which are clipped to [0, 1], and back, clipped:
//   y = clip(M⁻¹ (clip(M x + o + √variance · n) − o)),  n standard normal
// words: u32 [pixels, 4], uniform (random/words.wgsl): two give two normal numbers, of which the fourth is left. x, y: [pixels, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
//#use distort/normals
struct Params {
  pixels: u32,
  variance: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> words: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.pixels) {
    return;
  }
  let at = 3u * index;
  let rgb = vec3f(x[at], x[at + 1u], x[at + 2u]);
  let offset = vec3f(16.0, 128.0, 128.0) / 255.0;
  let ycc = offset + vec3f(
    dot(rgb, vec3f(65.481, 128.553, 24.966)),
    dot(rgb, vec3f(-37.797, -74.203, 112.0)),
    dot(rgb, vec3f(112.0, -93.786, -18.214)),
  ) / 255.0;
  let word = words[index];
  let noise = vec3f(normals(word.x, word.y), normals(word.z, word.w).x);
  let noisy = clamp(ycc + sqrt(params.variance) * noise, vec3f(0.0), vec3f(1.0)) - offset;
  let result = clamp(vec3f(
    dot(noisy, vec3f(1.1643835616, 3.011e-7, 1.5960268873)),
    dot(noisy, vec3f(1.1643835616, -0.3917625399, -0.8129682922)),
    dot(noisy, vec3f(1.1643835616, 2.0172326396, 3.0543e-6)),
  ), vec3f(0.0), vec3f(1.0));
  y[at] = result.x;
  y[at + 1u] = result.y;
  y[at + 2u] = result.z;
}
