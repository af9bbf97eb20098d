// The k largest elements of each row, largest first: values[row, t] = x[row, indices[row, t]]; equal ones by smaller index.
// −0 counts as equal to 0. x: [rows, columns], values, indices: [rows, k], k ≤ columns
//
// SMALLEST: the smallest elements, smallest first.   NAN_FIRST: NaN comes before every number, else behind.
// LAST: of equal elements the larger index; k is 1.
// LANES invocations make one row, see row/place: each of its k passes takes the largest element behind the one taken last,
// the best of what the lanes find.   WORKGROUP: invocations of a workgroup.
//#use row/place
struct Params {
  rows: u32,
  columns: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// A whole number above 0 that grows with the f32 of these bits, with SMALLEST falls.
fn order(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    //#if NAN_FIRST
    return 0xffffffffu;
    //#else
    return 1u;
    //#end
  }
  //#if SMALLEST
  return select(0x80000000u - magnitude, 0x80000000u + magnitude, bits > 0x7fffffffu);
  //#else
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
  //#end
}

//#if LANES != 1
// What each lane found: an order, and where.
var<workgroup> found: array<vec2u, LANES>;
//#end

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let row = row_of(group, groups, index);
  if (row >= params.rows) {
    return;
  }
  let lane = index % LANES;
  let start = row * params.columns;
  var last = 0xffffffffu;
  var last_index = 0u;
  for (var t = 0u; t < params.k; t++) {
    var best = 0u;
    var best_index = 0u;
    for (var i = lane; i < params.columns; i += LANES) {
      let candidate = order(bitcast<u32>(x[start + i]));
      let left = t == 0u || candidate < last || (candidate == last && i > last_index);
      //#if LAST
      let wins = candidate >= best;
      //#else
      let wins = candidate > best;
      //#end
      if (left && wins) {
        best = candidate;
        best_index = i;
      }
    }
    //#if LANES != 1
    found[lane] = vec2u(best, best_index);
    workgroupBarrier();
    for (var i = 0u; i < LANES; i++) {
      let other = found[i];
      //#if LAST
      let earlier = other.y > best_index;
      //#else
      let earlier = other.y < best_index;
      //#end
      if (other.x > best || (other.x == best && earlier)) {
        best = other.x;
        best_index = other.y;
      }
    }
    workgroupBarrier();
    //#end
    if (lane == 0u) {
      values[row * params.k + t] = x[start + best_index];
      indices[row * params.k + t] = best_index;
    }
    last = best;
    last_index = best_index;
  }
}
