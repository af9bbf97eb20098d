// Mean and sum of squared deviations of each channel over a block of rows; the blocks are merged by norm/merge.wgsl.
// x: [rows, channels]      blocks: [first_block + block, 2, channels], mean before squared deviations
//
// Sums run over x − x[first row of the block], so that a large mean does not drown the deviations.
// One invocation makes one vec4 of channels of one block. BLOCK: rows of a block.   VECTOR: true when channels come as
// vec4s, false for scalars.   WORKGROUP: invocations of a workgroup.
//#use number/element_nan

struct Params {
  rows: u32,
  channels: u32,
  first_block: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> blocks: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let block = index / params.channels;
  let channel = index - block * params.channels;
  let start = block * {{BLOCK}}u;
  if (start >= params.rows) {
    return;
  }
  let end = min(start + {{BLOCK}}u, params.rows);
  let count = f32(end - start);
  let shift = x[start * params.channels + channel];
  var sum = Element();
  var squares = Element();
  for (var row = start + 1u; row < end; row++) {
    let d = x[row * params.channels + channel] - shift;
    sum += d;
    squares = fma(d, d, squares);
  }
  let at = (params.first_block + block) * 2u * params.channels + channel;
  blocks[at] = shift + sum / count;
  let deviations = squares - sum * sum / count;
  // max() may drop NaN.
  blocks[at + params.channels] = select(max(deviations, Element()), deviations, is_nan_element(deviations));
}
