// y = sRGB, clipped to [0, 1], of L*, a*, b* = factors · lab + blurred_factors · blurred, one factor for L*, one for a* and b*.
// lab, blurred, y: [pixels, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
//#use distort/colour
struct Params {
  pixels: u32,
  light: f32,
  colour: f32,
  blurred_light: f32,
  blurred_colour: f32,
}

@group(0) @binding(0) var<storage, read> lab: array<f32>;
@group(0) @binding(1) var<storage, read> blurred: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.pixels) {
    return;
  }
  let at = 3u * index;
  let factors = vec3f(params.light, params.colour, params.colour);
  let blurred_factors = vec3f(params.blurred_light, params.blurred_colour, params.blurred_colour);
  let mixed = factors * vec3f(lab[at], lab[at + 1u], lab[at + 2u])
    + blurred_factors * vec3f(blurred[at], blurred[at + 1u], blurred[at + 2u]);
  let rgb = clamp(rgb_of(mixed), vec3f(0.0), vec3f(1.0));
  y[at] = rgb.x;
  y[at + 1u] = rgb.y;
  y[at + 2u] = rgb.z;
}
