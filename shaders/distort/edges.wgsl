// y = |∇ grey|, grey = 0.2989 R + 0.5870 G + 0.1140 B: half the difference of the neighbours along each axis, the whole difference to
// the one neighbour on an edge, 0 along an axis of one pixel. x: [height, width, 3], y: [height, width].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn grey(h: u32, w: u32) -> f32 {
  let at = 3u * (h * params.width + w);
  return 0.2989 * x[at] + 0.587 * x[at + 1u] + 0.114 * x[at + 2u];
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width) {
    return;
  }
  let h = index / params.width;
  let w = index - h * params.width;
  let above = max(h, 1u) - 1u;
  let below = min(h + 1u, params.height - 1u);
  let left = max(w, 1u) - 1u;
  let right = min(w + 1u, params.width - 1u);
  let down = (grey(below, w) - grey(above, w)) / f32(max(below - above, 1u));
  let across = (grey(h, right) - grey(h, left)) / f32(max(right - left, 1u));
  y[index] = sqrt(down * down + across * across);
}
