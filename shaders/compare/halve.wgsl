// Means of 2 x 2 numbers: y[i, j] = ¼ Σ x[2i + (0 or 1), 2j + (0 or 1)]. x: [height, width], y: [⌈height/2⌉, ⌈width/2⌉].
// BORDER: what stands below and right of an odd extent: "repeat" the last number, or "zero".
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn input(h: u32, w: u32) -> f32 {
//#if BORDER == zero
  if (h >= params.height || w >= params.width) {
    return 0.0;
  }
//#end
  return x[min(h, params.height - 1u) * params.width + min(w, params.width - 1u)];
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let columns = (params.width + 1u) / 2u;
  let h = 2u * (index / columns);
  let w = 2u * (index - (index / columns) * columns);
  if (h >= params.height) {
    return;
  }
  y[index] = 0.25 * (input(h, w) + input(h, w + 1u) + input(h + 1u, w) + input(h + 1u, w + 1u));
}
