// loss[row] of a row of logits against its target, with p = softmax(logits[row]):
//   cross_entropy    −Σ_j t_j ln p_j
//   kl_divergence    Σ_j t_j (ln t_j − ln p_j), where 0 ln 0 = 0
//   expectation      |Σ_j levels_j p_j − score|
//
// LANES invocations make one row, see row/place.   LOSS: one of the names above.   VECTOR: rows are whole vec4s.
// WORKGROUP: invocations of a workgroup.
// Layouts: logits and targets t [rows, columns], a window of the batch that starts at first_row;
// levels [columns]; scores, losses [B], whole.
//#use loss/common

@group(0) @binding(0) var<storage, read> logits: array<Element>;
//#if LOSS == expectation
@group(0) @binding(1) var<storage, read> levels: array<Element>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> targets: array<Element>;
//#end
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// 0: e^(logit − top), given top.   1: what the loss adds up, given top, or top + ln Σ, which is logit − ln p.
fn term(which: u32, start: u32, column: u32, given: vec2f) -> Element {
  let logit = logits[start + column];
  if (which == 0u) {
    return exponential(logit - given.x);
  }
  //#if LOSS == expectation
  return levels[column] * exp(logit - given.x);
  //#else
  let t = targets[start + column];
  //#if LOSS == cross_entropy
  return t * (given.x - logit);
  //#else
  // The bound stands in for ln 0, which the factor 0 then removes.
  return t * (log(max(t, Element(1e-37))) + given.x - logit);
  //#end
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
  let top = row_largest(start, lane);
  let total = row_sum(0u, start, lane, vec2f(top, 0.0));
  //#if LOSS == expectation
  let expected = row_sum(1u, start, lane, vec2f(top, 0.0)) / total;
  let loss = abs(expected - scores[params.first_row + row]);
  //#else
  // A total of NaN makes the row NaN; the driver's logarithm may not.
  let shift = top + select(log(total), total, is_nan(total));
  let loss = row_sum(1u, start, lane, vec2f(shift, 0.0));
  //#end
  if (lane == 0u) {
    losses[params.first_row + row] = loss;
  }
}
