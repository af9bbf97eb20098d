// Feature similarity of two pictures (Zhang et al. 2011, Eq. 6-10), to be added up:
//
//   y₀ = S_pc · S_g · p      y₁ = p = max(pa, pb)      S_pc = (2 pa pb + 0.85) / (pa² + pb² + 0.85)      S_g = (2 ga gb + 160) / (ga² + gb² + 160)
//
// g = |Scharr gradient|, filters [3 0 −3; 10 0 −10; 3 0 −3] / 16 on lumas of 0 … 255, zeros outside of the picture; pa, pb: phase congruency.
// a, b, pa, pb: [height, width], y: [2, height, width].
// One invocation makes both numbers of a place. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> pa: array<f32>;
@group(0) @binding(3) var<storage, read> pb: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
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
  let across = (3.0 * (corner - other) + 10.0 * (input(h, w - 1u) - input(h, w + 1u))) / 16.0;
  let down = (3.0 * (corner + other) + 10.0 * (input(h - 1u, w) - input(h + 1u, w))) / 16.0;
  let g = sqrt(across * across + down * down);
  let p = vec2f(pa[index], pb[index]);
  let phase = (2.0 * p.x * p.y + 0.85) / (p.x * p.x + p.y * p.y + 0.85);
  let gradient = (2.0 * g.x * g.y + 160.0) / (g.x * g.x + g.y * g.y + 160.0);
  let most = max(p.x, p.y);
  y[index] = phase * gradient * most;
  y[params.height * params.width + index] = most;
}
