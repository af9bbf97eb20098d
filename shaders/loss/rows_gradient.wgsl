// Gradient of loss/rows in the logits, dlogits[row, j] = dlosses[row] · g_j, with p = softmax(logits[row]):
//   cross_entropy    g_j = p_j Σ_k t_k − t_j    (kl_divergence has the same)
//   expectation      g_j = sign(E − score) · p_j (levels_j − E) with E = Σ_j levels_j p_j, sign(0) = 0
//
// LANES invocations make one row, see row/place.   LOSS: cross_entropy or expectation.   VECTOR: rows are whole vec4s.
// WORKGROUP: invocations of a workgroup.
// Layouts: logits, dlogits and targets t [rows, columns], a window of the batch that starts at first_row;
// levels [columns]; scores, dlosses [B], whole.
//#use loss/common

@group(0) @binding(0) var<storage, read> logits: array<Element>;
//#if LOSS == expectation
@group(0) @binding(1) var<storage, read> levels: array<Element>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> targets: array<Element>;
//#end
@group(0) @binding(3) var<storage, read> dlosses: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, top: vec2f) -> Element {
  if (which == 0u) {
    return exponential(logits[start + column] - top.x);
  }
  //#if LOSS == expectation
  return levels[column] * exp(logits[start + column] - top.x);
  //#else
  return targets[start + column];
  //#end
}

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
  let dloss = dlosses[params.first_row + row];
  let top = row_largest(start, lane);
  let total = row_sum(0u, start, lane, vec2f(top, 0.0));
  //#if LOSS == expectation
  let expected = row_sum(1u, start, lane, vec2f(top, 0.0)) / total;
  let factor = dloss * sign(expected - scores[params.first_row + row]);
  //#else
  let mass = row_sum(1u, start, lane, vec2f(top, 0.0));
  //#end
  for (var j = lane; j < params.columns; j += LANES) {
    let p = exp(logits[start + j] - top) / total;
    //#if LOSS == expectation
    dlogits[start + j] = factor * p * (levels[j] - expected);
    //#else
    dlogits[start + j] = dloss * (p * mass - targets[start + j]);
    //#end
  }
}
