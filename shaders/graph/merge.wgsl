// Merges a tile of inner products into the lists of the best candidates of each owner, a point: the KEPT largest scores
//
//   score(owner, candidate) = product + bias[candidate]
//
// in falling order, equal ones in the order of their candidates; a point is no candidate of its own.
// tile: [lines, 4·columns4]. Lines own and columns are candidates, or, with COLUMNS_OWN, the other way round, so that one
// tile serves both halves of the symmetric matrix. bias: [4·candidates4], the lowest number for a candidate that is padding.
// scores, indices: [owners, KEPT]; places still free hold the lowest score and the index 0xffffffff. Tiles come in the order
// of their candidates; the one with candidate 0 starts the lists.
// One invocation is one owner and keeps its list in registers. Four scores are made at once and nearly always rejected
// together by the last of the list, because loads, and then branches, are what this costs.
// KEPT: 1..72.   LAST: KEPT − 1.   COLUMNS_OWN: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  owners: u32,
  first_owner: u32,
  first_candidate: u32,
  candidates4: u32,
  columns4: u32,
}

//#if COLUMNS_OWN
@group(0) @binding(0) var<storage, read> tile: array<f32>;
//#else
@group(0) @binding(0) var<storage, read> tile: array<vec4f>;
//#end
@group(0) @binding(1) var<storage, read> bias: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const LOWEST = -3.4e38;
const NONE = 0xffffffffu;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let owner = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (owner >= params.owners) {
    return;
  }
  let list = owner * {{KEPT}}u;
  let self_index = params.first_owner + owner;
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
  //#if COLUMNS_OWN
  let columns = 4u * params.columns4;
  var at = owner;
  //#else
  let line = owner * params.columns4;
  //#end
  for (var j = 0u; j < params.candidates4; j++) {
    //#if COLUMNS_OWN
    let four = vec4f(tile[at], tile[at + columns], tile[at + 2u * columns], tile[at + 3u * columns]) + bias[j];
    at += 4u * columns;
    //#else
    let four = tile[line + j] + bias[j];
    //#end
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
