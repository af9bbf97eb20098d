// Structural similarity of two pictures around each position where the whole window fits (Wang et al. 2004, Eq. 13), and its
// part of contrast and structure alone:
//
//   y₁ = (2·σab + C2) / (σa² + σb² + C2)      y₀ = (2·μa·μb + C1) / (μa² + μb² + C1) · y₁
//
// with window-weighted moments, C1 = 0.01², C2 = 0.03² for numbers in [0, 1].
// a, b: [height, width], window: [side, side] with sum 1, y: [2, height − side + 1, width − side + 1], y₀ first.
//
// Moments are taken about the centre of the window, so that flat bright regions do not cancel.
// One invocation makes one position of both. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  side: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> window: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let rows = params.height - params.side + 1u;
  let columns = params.width - params.side + 1u;
  if (index >= rows * columns) {
    return;
  }
  let h = index / columns;
  let w = index - h * columns;
  let centre = (h + params.side / 2u) * params.width + w + params.side / 2u;
  let shift_a = a[centre];
  let shift_b = b[centre];
  var mean_a = 0.0;
  var mean_b = 0.0;
  var square_a = 0.0;
  var square_b = 0.0;
  var product = 0.0;
  for (var i = 0u; i < params.side; i++) {
    for (var j = 0u; j < params.side; j++) {
      let weight = window[i * params.side + j];
      let position = (h + i) * params.width + w + j;
      let va = a[position] - shift_a;
      let vb = b[position] - shift_b;
      mean_a += weight * va;
      mean_b += weight * vb;
      square_a += weight * va * va;
      square_b += weight * vb * vb;
      product += weight * va * vb;
    }
  }
  let variance_a = max(square_a - mean_a * mean_a, 0.0);
  let variance_b = max(square_b - mean_b * mean_b, 0.0);
  let covariance = product - mean_a * mean_b;
  mean_a += shift_a;
  mean_b += shift_b;
  y[index] = (2.0 * mean_a * mean_b + 0.0001) * (2.0 * covariance + 0.0009)
    / ((mean_a * mean_a + mean_b * mean_b + 0.0001) * (variance_a + variance_b + 0.0009));
  y[rows * columns + index] = (2.0 * covariance + 0.0009) / (variance_a + variance_b + 0.0009);
}
