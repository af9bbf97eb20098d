// y = (2 − 4·middle)·x² + (4·middle − 1)·x, clipped to [0, 1]: the parabola through (0, 0), (1/2, middle) and (1, 1).
// Four samples at a time; one invocation makes one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  middle: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count4) {
    let v = x[i];
    y[i] = clamp((2.0 - 4.0 * params.middle) * v * v + (4.0 * params.middle - 1.0) * v, vec4f(0.0), vec4f(1.0));
  }
}
