// y = (2 c(x) + clip(sRGB of (100 c(L* / 100), a*, b*))) / 3 with c(v) = (2 − 4·middle)·v² + (4·middle − 1)·v, clipped to [0, 1], and
// L*, a*, b* those of x. x, y: [pixels, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
//#use distort/colour
struct Params {
  pixels: u32,
  middle: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn curve(v: vec3f) -> vec3f {
  return clamp((2.0 - 4.0 * params.middle) * v * v + (4.0 * params.middle - 1.0) * v, vec3f(0.0), vec3f(1.0));
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.pixels) {
    return;
  }
  let at = 3u * index;
  let rgb = vec3f(x[at], x[at + 1u], x[at + 2u]);
  let lab = lab_of(rgb);
  let lighter = rgb_of(vec3f(100.0 * curve(vec3f(lab.x / 100.0)).x, lab.y, lab.z));
  let mixed = (2.0 * curve(rgb) + clamp(lighter, vec3f(0.0), vec3f(1.0))) / 3.0;
  y[at] = mixed.x;
  y[at + 1u] = mixed.y;
  y[at + 2u] = mixed.z;
}
