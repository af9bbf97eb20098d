// y[o, i, k] = Σ_t weights[i, t] · x[o, first_i + t, k] over t < count_i: linear resampling of the middle axis
//
// One invocation makes one Element of y: a vec4 of the inner axis with VECTOR (inner is a multiple of 4), else one number.
// WORKGROUP: invocations of a workgroup.
// A band of one image shows outputs first_output … first_output + out_length − 1: place 0 of the image is row x_shift of x's window
// (in front of it where negative), and the first output is row y_first of y's. A whole tensor has zeros for the three.
// Layouts: x [outer, length, inner], y [outer, out_length, inner]; spans [out_length] of (first, count),
// weights [out_length, taps]. The transposed table makes the gradient.
struct Params {
  outer: u32,
  length: u32,
  out_length: u32,
  inner: u32, // in Elements
  taps: u32,
  first_output: u32,
  x_shift: i32,
  y_first: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> spans: array<vec2u>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.out_length * params.inner) {
    return;
  }
  let line = index / params.inner;
  let k = index - line * params.inner;
  let o = line / params.out_length;
  let i = line - o * params.out_length;
  let output = params.first_output + i;
  let span = spans[output];
  var at = u32(i32(o * params.length + span.x) + params.x_shift) * params.inner + k;
  var sum = Element();
  for (var t = 0u; t < span.y; t++) {
    sum += weights[output * params.taps + t] * x[at];
    at += params.inner;
  }
  y[params.y_first * params.inner + index] = sum;
}
