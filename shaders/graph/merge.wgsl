// Merges a tile of scores into the lists of the best candidates of each row: the KEPT largest scores, in falling order,
// equal ones in the order of their candidates; a row is no candidate of its own.
//
// tile: [rows, 4·columns4], column j scores candidate first_candidate + j. scores, indices: [rows, KEPT]; places still
// free hold the lowest score and the index 0xffffffff. Tiles come in the order of their candidates; the first starts the lists.
// One invocation owns one row and keeps its list in registers. Four scores are loaded at once and nearly always rejected
// together, because loads, and then branches, are what this costs.
// KEPT: 1..72.   LAST: KEPT − 1.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  first_row: u32,
  first_candidate: u32,
  columns4: u32,
}

@group(0) @binding(0) var<storage, read> tile: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const LOWEST = -3.4e38;
const NONE = 0xffffffffu;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let list = row * {{KEPT}}u;
  let self_index = params.first_row + row;
  //#for n in 0..KEPT
  var score_{{n}} = LOWEST;
  var index_{{n}} = NONE;
  //#end
  if (params.first_candidate > 0u) {
    //#for n in 0..KEPT
    score_{{n}} = scores[list + {{n}}u];
    index_{{n}} = indices[list + {{n}}u];
    //#end
  }
  let line = row * params.columns4;
  for (var j = 0u; j < params.columns4; j++) {
    let four = tile[line + j];
    if (any(four > vec4f(score_{{LAST}}))) {
      for (var q = 0u; q < 4u; q++) {
        var score = four[q];
        var index = params.first_candidate + 4u * j + q;
        if (score > score_{{LAST}} && index != self_index) {
          // Not ||: its short circuit is a branch for every place of the list, which some drivers cannot compile.
          var moved = false;
          //#for n in 0..KEPT
          moved |= score > score_{{n}};
          let next_score_{{n}} = select(score, score_{{n}}, moved);
          let next_index_{{n}} = select(index, index_{{n}}, moved);
          score_{{n}} = select(score_{{n}}, score, moved);
          index_{{n}} = select(index_{{n}}, index, moved);
          score = next_score_{{n}};
          index = next_index_{{n}};
          //#end
        }
      }
    }
  }
  //#for n in 0..KEPT
  scores[list + {{n}}u] = score_{{n}};
  indices[list + {{n}}u] = index_{{n}};
  //#end
}
