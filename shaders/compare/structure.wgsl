// Structural similarity of two pictures around each position where the whole window fits (Wang et al. 2004, Eq. 13), and its
// part of contrast and structure alone:
//
//   y₁ = (2·σab + C2) / (σa² + σb² + C2)      y₀ = (2·μa·μb + C1) / (μa² + μb² + C1) · y₁
//
// with window-weighted moments, C1 = 0.01², C2 = 0.03² for numbers in [0, 1].
// a, b: [height, width], y: [2, height − side + 1, width − side + 1], y₀ first. weights: [side + 3, side] of vec4f, from a window of
// side × side with sum 1: entry (i, j) holds the weights that row i has for each of four positions in a column, 0 where it is not in
// the window.
//
// Moments are taken about the centre of the window, so that flat bright regions do not cancel.
// One invocation makes four positions in a column of both, which share their inputs. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  side: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let rows = params.height - params.side + 1u;
  let columns = params.width - params.side + 1u;
  let four = index / columns;
  let w = index - four * columns;
  let h = 4u * four;
  if (h >= rows) {
    return;
  }
  // Rows below the picture are weighted 0; any of its numbers do for them.
  let last = params.height - 1u;
  let centres = min(vec4u(0u, 1u, 2u, 3u) + h + params.side / 2u, vec4u(last)) * params.width + w + params.side / 2u;
  let shift_a = vec4f(a[centres.x], a[centres.y], a[centres.z], a[centres.w]);
  let shift_b = vec4f(b[centres.x], b[centres.y], b[centres.z], b[centres.w]);
  var mean_a = vec4f(0.0);
  var mean_b = vec4f(0.0);
  var square_a = vec4f(0.0);
  var square_b = vec4f(0.0);
  var product = vec4f(0.0);
  for (var i = 0u; i < params.side + 3u; i++) {
    let row = min(h + i, last) * params.width + w;
    for (var j = 0u; j < params.side; j++) {
      let weight = weights[i * params.side + j];
      let va = a[row + j] - shift_a;
      let vb = b[row + j] - shift_b;
      mean_a += weight * va;
      mean_b += weight * vb;
      square_a += weight * va * va;
      square_b += weight * vb * vb;
      product += weight * va * vb;
    }
  }
  let variance_a = max(square_a - mean_a * mean_a, vec4f(0.0));
  let variance_b = max(square_b - mean_b * mean_b, vec4f(0.0));
  let covariance = product - mean_a * mean_b;
  mean_a += shift_a;
  mean_b += shift_b;
  let whole = (2.0 * mean_a * mean_b + 0.0001) * (2.0 * covariance + 0.0009)
    / ((mean_a * mean_a + mean_b * mean_b + 0.0001) * (variance_a + variance_b + 0.0009));
  let part = (2.0 * covariance + 0.0009) / (variance_a + variance_b + 0.0009);
  for (var k = 0u; k < min(4u, rows - h); k++) {
    y[(h + k) * columns + w] = whole[k];
    y[(rows + h + k) * columns + w] = part[k];
  }
}
