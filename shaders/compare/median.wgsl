// Medians of rows of numbers that are not negative; of an even count the mean of the two in the middle. x: [rows, count], y: [rows].
//
// Bits of such numbers are in the order of the numbers. A workgroup finds the number of a rank byte by byte, the highest first: it counts which
// bytes follow the prefix that is known. The number after it is the same where enough are not larger, else the least that is.
// WORKGROUP: invocations of a workgroup, at most 256.
struct Params {
  rows: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> least: atomic<u32>;
var<workgroup> prefix: u32;
var<workgroup> rank: u32;
var<workgroup> same: u32;

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let row = group.x + group.y * groups.x;
  // Every invocation of a workgroup has the same row.
  let start = min(row, params.rows - 1u) * params.count;
  if (local.x == 0u) {
    prefix = 0u;
    rank = (params.count - 1u) / 2u;
    atomicStore(&least, 0xffffffffu);
  }
  for (var byte = 0u; byte < 4u; byte++) {
    let shift = 24u - 8u * byte;
    for (var b = local.x; b < 256u; b += {{WORKGROUP}}u) {
      atomicStore(&bins[b], 0u);
    }
    workgroupBarrier();
    let known = prefix;
    for (var i = local.x; i < params.count; i += {{WORKGROUP}}u) {
      let bits = bitcast<u32>(x[start + i]) & 0x7fffffffu;
      // A shift by 32 is none: of the first byte no prefix is known.
      if (byte == 0u || bits >> ((shift + 8u) & 31u) == known) {
        atomicAdd(&bins[(bits >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    if (local.x == 0u) {
      var b = 0u;
      var before = 0u;
      while (b < 255u && before + atomicLoad(&bins[b]) <= rank) {
        before += atomicLoad(&bins[b]);
        b++;
      }
      rank -= before;
      same = atomicLoad(&bins[b]);
      prefix = (known << 8u) | b;
    }
    workgroupBarrier();
  }
  let found = prefix;
  for (var i = local.x; i < params.count; i += {{WORKGROUP}}u) {
    let bits = bitcast<u32>(x[start + i]) & 0x7fffffffu;
    if (bits > found) {
      atomicMin(&least, bits);
    }
  }
  workgroupBarrier();
  if (local.x == 0u && row < params.rows) {
    var next = found;
    if (rank + 1u >= same && atomicLoad(&least) != 0xffffffffu) {
      next = atomicLoad(&least);
    }
    let low = bitcast<f32>(found);
    y[row] = select(0.5 * (low + bitcast<f32>(next)), low, params.count % 2u == 1u);
  }
}
