// Sums over a block of rows that the gradients of a normalisation need, with dz = dy, under RELU 0 where y = 0, which may be NaN elsewhere:
//   sums[first_block + block] = (Σ dz, Σ dz · x̂)      x̂ = (x − mean) · inverse
// x, y, dy: [rows, channels], moments: [2, channels], sums: [all blocks, 2, channels]
//
// One invocation makes one vec4 of channels of one block. BLOCK: rows of a block.   RELU: true or false.
// VECTOR: true when channels come as vec4s, false for scalars.   WORKGROUP: invocations of a workgroup.
//#use number/element

struct Params {
  rows: u32,
  channels: u32,
  first_block: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read> moments: array<Element>;
@group(0) @binding(3) var<storage, read_write> sums: array<Element>;
//#if RELU
@group(0) @binding(4) var<storage, read> y: array<Element>;
//#end
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
  let mean = moments[channel];
  let end = min(start + {{BLOCK}}u, params.rows);
  var sum = Element();
  var product = Element();
  for (var row = start; row < end; row++) {
    let at = row * params.channels + channel;
    //#if RELU
    let dz = select(dy[at], Element(), y[at] == Element());
    //#else
    let dz = dy[at];
    //#end
    sum += dz;
    product = fma(dz, x[at] - mean, product);
  }
  let out = (params.first_block + block) * 2u * params.channels + channel;
  sums[out] = sum;
  sums[out + params.channels] = product * moments[params.channels + channel];
}
