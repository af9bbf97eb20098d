// Similarity of gradient magnitudes of two pictures (Xue et al. 2014, Eq. 1-4):
//
//   y = (2 ga gb + c) / (ga² + gb² + c)      g = |Prewitt gradient|, each filter a third of [1 0 −1; 1 0 −1; 1 0 −1]
//
// with zeros outside of the picture. a, b, y: [height, width]; c belongs to the scale of a and b.
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  c: f32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// (a, b) at a place, 0 outside; row −1 is the largest number.
fn input(h: u32, w: u32) -> vec2f {
  if (h >= params.height || w >= params.width) {
    return vec2f(0.0);
  }
  let at = h * params.width + w;
  return vec2f(a[at], b[at]);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let h = index / params.width;
  let w = index - h * params.width;
  if (h >= params.height) {
    return;
  }
  let corner = input(h - 1u, w - 1u) - input(h + 1u, w + 1u);
  let other = input(h - 1u, w + 1u) - input(h + 1u, w - 1u);
  let across = (corner - other + input(h, w - 1u) - input(h, w + 1u)) / 3.0;
  let down = (corner + other + input(h - 1u, w) - input(h + 1u, w)) / 3.0;
  let g = sqrt(across * across + down * down);
  y[index] = (2.0 * g.x * g.y + params.c) / (g.x * g.x + g.y * g.y + params.c);
}
