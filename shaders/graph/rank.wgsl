// The K best of the KEPT pairs of each row, best first: the smallest values, or the largest with LARGEST; equal ones in the
// order of their indices. Distances found for the pairs themselves so settle what rounding left open in the search.
//
// kept_indices, kept_values: [rows, KEPT]; the index 0xffffffff marks a free place. indices, values: [rows, K].
// Where fewer than K values are numbers (the points held none), the value is NaN and the index `last`, so that it stays legal.
// One invocation makes one row. K, KEPT: 1..72.   LARGEST: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  last: u32,
}

@group(0) @binding(0) var<storage, read> kept_indices: array<u32>;
@group(0) @binding(1) var<storage, read> kept_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

const HIGHEST = 3.4e38;
const NONE = 0xffffffffu;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  //#for n in 0..K
  var key_{{n}} = HIGHEST;
  var index_{{n}} = NONE;
  //#end
  for (var j = 0u; j < {{KEPT}}u; j++) {
    var index = kept_indices[row * {{KEPT}}u + j];
    if (index == NONE) {
      break;
    }
    //#if LARGEST
    var key = -kept_values[row * {{KEPT}}u + j];
    //#else
    var key = kept_values[row * {{KEPT}}u + j];
    //#end
    // Not || and &&: a short circuit is a branch for every place of the list, which some drivers cannot compile.
    var moved = false;
    //#for n in 0..K
    moved |= (key < key_{{n}}) | ((key == key_{{n}}) & (index < index_{{n}}));
    let next_key_{{n}} = select(key, key_{{n}}, moved);
    let next_index_{{n}} = select(index, index_{{n}}, moved);
    key_{{n}} = select(key_{{n}}, key, moved);
    index_{{n}} = select(index_{{n}}, index, moved);
    key = next_key_{{n}};
    index = next_index_{{n}};
    //#end
  }
  //#for n in 0..K
  {
    // The bits of NONE are those of a NaN.
    let key = select(key_{{n}}, bitcast<f32>(index_{{n}}), index_{{n}} == NONE);
    //#if LARGEST
    values[row * {{K}}u + {{n}}u] = -key;
    //#else
    values[row * {{K}}u + {{n}}u] = key;
    //#end
    indices[row * {{K}}u + {{n}}u] = min(index_{{n}}, params.last);
  }
  //#end
}
