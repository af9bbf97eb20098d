// Random words: y[4i … 4i + 3] = Philox4x32-10 (Salmon et al. 2011) of counter (block + i, stream) under the key (seed).
// The same words as those of Random in engine/random.ts for that seed and stream, from position 4 · block on.
//
// One invocation makes one block of four words. WORKGROUP: invocations of a workgroup.
//#use random/philox

struct Params {
  count4: u32,
  block_low: u32, // number of the first block
  block_high: u32,
  stream0: u32,
  stream1: u32,
  seed_low: u32,
  seed_high: u32,
}

@group(0) @binding(0) var<storage, read_write> y: array<vec4u>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let block = params.block_low + i;
  let high = params.block_high + select(0u, 1u, block < i);
  y[i] = philox(vec4u(block, high, params.stream0, params.stream1), vec2u(params.seed_low, params.seed_high));
}
