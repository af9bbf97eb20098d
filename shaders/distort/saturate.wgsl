// y = V − factor · (V − x), V the largest of R, G and B, clipped to [0, 1]: HSV with its S multiplied by factor, hue and V kept. Below 0
// the colours turn into their complements, brighter than V. x, y: [pixels, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
struct Params {
  pixels: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.pixels) {
    return;
  }
  let at = 3u * index;
  let rgb = vec3f(x[at], x[at + 1u], x[at + 2u]);
  let value = vec3f(max(rgb.x, max(rgb.y, rgb.z)));
  let result = clamp(value - params.factor * (value - rgb), vec3f(0.0), vec3f(1.0));
  y[at] = result.x;
  y[at + 1u] = result.y;
  y[at + 2u] = result.z;
}
