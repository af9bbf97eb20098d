// sums[first_slice + s] = (Σ (x[i] / scale)² over the finite elements of slice s, number of its elements that are not finite)
// Slice s holds the vec4s s, s + slices, s + 2·slices, … of x; they are added in that order. Whether an element is finite is
// read from its bits, because WGSL lets an implementation assume that no arithmetic meets an infinity or a NaN.
//
// One invocation makes one slice. Layouts: x [count], padded to whole vec4s; state: see optim/gradient_state.wgsl; sums [all, 2].
// WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  slices: u32,
  first_slice: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec2f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let slice = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (slice >= params.slices) {
    return;
  }
  let unscale = 1.0 / state[3];
  let exponent = vec4u(0x7f800000u);
  var squares = vec4f();
  var wrong = vec4u();
  for (var i = slice; i < (params.count + 3u) / 4u; i += params.slices) {
    let value = x[i];
    // The padding behind the last element holds anything.
    let inside = 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.count);
    let finite = (bitcast<vec4u>(value) & exponent) != exponent;
    let unscaled = select(vec4f(), value, inside & finite) * unscale;
    squares += unscaled * unscaled;
    wrong += select(vec4u(), vec4u(1u), inside & !finite);
  }
  let count = wrong.x + wrong.y + wrong.z + wrong.w;
  sums[params.first_slice + slice] = vec2f((squares.x + squares.y) + (squares.z + squares.w), f32(count));
}
