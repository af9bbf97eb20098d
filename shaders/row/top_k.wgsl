// The k largest elements of each row, largest first: values[row, t] = x[row, indices[row, t]]; equal ones by smaller index.
// NaN counts as larger than every number, −0 as equal to 0. x: [rows, columns], values, indices: [rows, k], k ≤ columns
//
// One invocation makes one row: each of its k passes takes the largest element behind the one taken last.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// A whole number that grows with the f32 of these bits.
fn order(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return 0xffffffffu;
  }
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  var last = 0xffffffffu;
  var last_index = 0u;
  for (var t = 0u; t < params.k; t++) {
    var best = 0u;
    var best_index = 0u;
    for (var i = 0u; i < params.columns; i++) {
      let candidate = order(bitcast<u32>(x[start + i]));
      let left = t == 0u || candidate < last || (candidate == last && i > last_index);
      if (left && candidate > best) {
        best = candidate;
        best_index = i;
      }
    }
    values[row * params.k + t] = x[start + best_index];
    indices[row * params.k + t] = best_index;
    last = best;
    last_index = best_index;
  }
}
