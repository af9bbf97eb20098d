// The distance or similarity of listed pairs, from the points themselves, without the cancellation of norms:
//
//   euclidean:  values[i, j] = Σ_c (a[i, c] − b[n, c])²
//   cosine:     values[i, j] = Σ_c a[i, c] b[n, c] / (|a[i]| |b[n]|), 0 for a zero row        n = indices[i, j] − first
//
// a: [rows, length] and b: [points, length] are windows of the same points, b starting at point `first`; pairs whose point
// is not in the window b are left alone. indices, values: [rows, kept]. count = rows · kept.
// One invocation makes one pair. METRIC: euclidean or cosine.   ELEMENT: vec4f or f32, of which a point has `length`.
// WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  kept: u32,
  length: u32,
  first: u32,
  points: u32,
}

alias Element = {{ELEMENT}};

@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn total(x: Element) -> f32 {
  //#if ELEMENT == vec4f
  return (x.x + x.y) + (x.z + x.w);
  //#else
  return x;
  //#end
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let point = indices[i] - params.first;
  if (point >= params.points) {
    return;
  }
  let from_a = i / params.kept * params.length;
  let from_b = point * params.length;
  //#if METRIC == euclidean
  var sum = Element();
  for (var c = 0u; c < params.length; c++) {
    let difference = a[from_a + c] - b[from_b + c];
    sum += difference * difference;
  }
  values[i] = total(sum);
  //#else
  var products = Element();
  var squares_a = Element();
  var squares_b = Element();
  for (var c = 0u; c < params.length; c++) {
    let x = a[from_a + c];
    let y = b[from_b + c];
    products += x * y;
    squares_a += x * x;
    squares_b += y * y;
  }
  let norms = sqrt(total(squares_a)) * sqrt(total(squares_b));
  values[i] = select(0.0, total(products) / norms, norms > 0.0);
  //#end
}
