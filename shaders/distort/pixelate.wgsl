// Nearest-neighbour reduction to small_height x small_width and back: every position takes the sample of the position
// that its block of the small picture was taken from.
//   block = ⌊(h + 1/2) · small_height / height⌋,  source = ⌊(block + 1/2) · height / small_height⌋,  alike for the width
// x, y: [height, width, channels].
//
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  channels: u32,
  small_height: u32,
  small_width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Whole numbers throughout: twice the half positions, so that no rounding can move a block's edge.
fn source(at: u32, size: u32, small: u32) -> u32 {
  let block = ((2u * at + 1u) * small) / (2u * size);
  return ((2u * block + 1u) * size) / (2u * small);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width * params.channels) {
    return;
  }
  let position = index / params.channels;
  let c = index - position * params.channels;
  let h = position / params.width;
  let w = position - h * params.width;
  let row = source(h, params.height, params.small_height);
  let column = source(w, params.width, params.small_width);
  y[index] = x[(row * params.width + column) * params.channels + c];
}
