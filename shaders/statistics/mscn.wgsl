// Mean-subtracted, contrast-normalised coefficients (Mittal et al. 2012, Eq. 1-3), or with OUTPUT "deviation" σ alone:
//
//   y = (x − μ) / (σ + 1)      μ = Σ w x      σ² = Σ w (x − μ)²      over a window of side × side with sum 1
//
// x, y: [height, width]. weights: [side + 3, side] of vec4f: entry (i, j) holds the weights that the input in row i of four
// outputs in a column has for each of them, 0 where it is not in the window. BORDER: what lies outside of x: "repeat" its rim,
// or "zero".
//
// Moments are taken about the input in the middle of each window, so that flat bright parts do not cancel. Coefficients below 10⁻⁵ are 0:
// on flat parts and even slopes their sign would be that of rounding.
// One invocation makes four outputs in a column, which share their inputs. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  side: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn input(h: i32, w: i32) -> f32 {
  let last = vec2i(i32(params.height), i32(params.width)) - 1;
  let inside = clamp(vec2i(h, w), vec2i(0), last);
//#if BORDER == zero
  if (h != inside.x || w != inside.y) {
    return 0.0;
  }
//#end
  return x[u32(inside.x) * params.width + u32(inside.y)];
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let four = index / params.width;
  let column = index - four * params.width;
  let first = 4u * four;
  if (first >= params.height) {
    return;
  }
  let reach = i32(params.side / 2u);
  let top = i32(first);
  let left = i32(column);
  let centre = vec4f(input(top, left), input(top + 1, left), input(top + 2, left), input(top + 3, left));
  var sum = vec4f(0.0);
  var squares = vec4f(0.0);
  for (var i = 0u; i < params.side + 3u; i++) {
    for (var j = 0u; j < params.side; j++) {
      let d = input(top + i32(i) - reach, left + i32(j) - reach) - centre;
      let weighted = weights[i * params.side + j] * d;
      sum += weighted;
      squares += weighted * d;
    }
  }
  let deviation = sqrt(max(squares - sum * sum, vec4f(0.0)));
//#if OUTPUT == deviation
  let result = deviation;
//#else
  let coefficient = -sum / (deviation + 1.0);
  let result = select(coefficient, vec4f(0.0), abs(coefficient) < vec4f(1e-5));
//#end
  for (var k = 0u; k < min(4u, params.height - first); k++) {
    y[(first + k) * params.width + column] = result[k];
  }
}
