// R and B of x, and G moved by (down, right) pixels where there are edges:
//   y = m · G[h − down, w − right] + (1 − m) · G[h, w],  m = (clamp(factor · edges + offset, low, high) − low) / (high − low)
// positions outside taken from the nearest edge. x, y: [height, width, 3], edges: [height, width].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  down: u32,
  right: u32,
  factor: f32,
  offset: f32,
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> edges: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width) {
    return;
  }
  let h = index / params.width;
  let w = index - h * params.width;
  let from_h = max(h, params.down) - params.down;
  let from_w = max(w, params.right) - params.right;
  let shifted = x[3u * (from_h * params.width + from_w) + 1u];
  let edge = clamp(params.factor * edges[index] + params.offset, params.low, params.high);
  let mask = (edge - params.low) / (params.high - params.low);
  y[3u * index] = x[3u * index];
  y[3u * index + 1u] = shifted * mask + x[3u * index + 1u] * (1.0 - mask);
  y[3u * index + 2u] = x[3u * index + 2u];
}
