// loss[row] of a row of logits against its target, with p = softmax(logits[row]):
//   cross_entropy    −Σ_j t_j ln p_j
//   kl_divergence    Σ_j t_j (ln t_j − ln p_j), where 0 ln 0 = 0
//   earth_movers     √(1/m · Σ_j D_j²) with D_j = Σ_{k ≤ j} (p_k − t_k)
//   expectation      |Σ_j levels_j p_j − score|
//
// One invocation makes one row. LOSS: one of the names above.   WORKGROUP: invocations of a workgroup.
// Layouts: logits and targets t [rows, columns], a window of the batch that starts at first_row;
// levels [columns]; scores, losses [B], whole.
//#use loss/common

@group(0) @binding(0) var<storage, read> logits: array<f32>;
//#if LOSS == expectation
@group(0) @binding(1) var<storage, read> levels: array<f32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> targets: array<f32>;
//#end
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let softmax = softmax_of(start);
  let top = softmax.x;
  let total = softmax.y;
  //#if LOSS == cross_entropy
  let shift = top + select(log(total), total, is_nan(total));
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += targets[start + j] * (shift - logits[start + j]);
  }
  losses[params.first_row + row] = sum;
  //#end
  //#if LOSS == kl_divergence
  let shift = top + select(log(total), total, is_nan(total));
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    let t = targets[start + j];
    // The bound stands in for ln 0, which the factor 0 then removes.
    sum += t * (log(max(t, 1e-37)) + shift - logits[start + j]);
  }
  losses[params.first_row + row] = sum;
  //#end
  //#if LOSS == earth_movers
  var difference = 0.0;
  var squares = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    difference += exp(logits[start + j] - top) / total - targets[start + j];
    squares += difference * difference;
  }
  losses[params.first_row + row] = sqrt(squares / f32(params.columns));
  //#end
  //#if LOSS == expectation
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += levels[j] * exp(logits[start + j] - top);
  }
  losses[params.first_row + row] = abs(sum / total - scores[params.first_row + row]);
  //#end
}
