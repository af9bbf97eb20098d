// y = CIE L*, a*, b* of x, sRGB in [0, 1] (distort/colour). x, y: [pixels, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
//#use distort/colour
struct Params {
  pixels: u32,
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
  let lab = lab_of(vec3f(x[3u * index], x[3u * index + 1u], x[3u * index + 2u]));
  y[3u * index] = lab.x;
  y[3u * index + 1u] = lab.y;
  y[3u * index + 2u] = lab.z;
}
