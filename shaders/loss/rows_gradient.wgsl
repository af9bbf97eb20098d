// Gradient of loss/rows in the logits, dlogits[row, j] = dlosses[row] · g_j, with p = softmax(logits[row]):
//   cross_entropy    g_j = p_j Σ_k t_k − t_j    (kl_divergence has the same)
//   earth_movers     g_j = p_j (S_j − Σ_k p_k S_k) / (m · loss) with S_j = Σ_{k ≥ j} D_k, and 0 where the loss is 0
//   expectation      g_j = sign(E − score) · p_j (levels_j − E) with E = Σ_j levels_j p_j, sign(0) = 0
//
// One invocation makes one row; Σ_k p_k S_k is found as Σ_k D_k Σ_{j ≤ k} p_j on the way up, S_j on the way down.
// LOSS: cross_entropy, earth_movers or expectation.   WORKGROUP: invocations of a workgroup.
// Layouts: logits, dlogits and targets t [rows, columns], a window of the batch that starts at first_row;
// levels [columns]; scores, dlosses [B], whole.
//#use loss/common

@group(0) @binding(0) var<storage, read> logits: array<f32>;
//#if LOSS == expectation
@group(0) @binding(1) var<storage, read> levels: array<f32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> targets: array<f32>;
//#end
@group(0) @binding(3) var<storage, read> dlosses: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let dloss = dlosses[params.first_row + row];
  let start = row * params.columns;
  let softmax = softmax_of(start);
  let top = softmax.x;
  let total = softmax.y;
  //#if LOSS == cross_entropy
  var mass = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    mass += targets[start + j];
  }
  for (var j = 0u; j < params.columns; j++) {
    let p = exp(logits[start + j] - top) / total;
    dlogits[start + j] = dloss * (p * mass - targets[start + j]);
  }
  //#end
  //#if LOSS == earth_movers
  var difference = 0.0;
  var cumulated = 0.0;
  var squares = 0.0;
  var mean = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    let p = exp(logits[start + j] - top) / total;
    cumulated += p;
    difference += p - targets[start + j];
    squares += difference * difference;
    mean += difference * cumulated;
  }
  let loss = sqrt(squares / f32(params.columns));
  let factor = select(0.0, dloss / (f32(params.columns) * loss), loss > 0.0);
  var sum = 0.0;
  for (var j = params.columns; j > 0u; j--) {
    let at = start + j - 1u;
    let p = exp(logits[at] - top) / total;
    sum += difference;
    dlogits[at] = factor * p * (sum - mean);
    difference -= p - targets[at];
  }
  //#end
  //#if LOSS == expectation
  var expected = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    expected += levels[j] * exp(logits[start + j] - top);
  }
  expected /= total;
  let factor = dloss * sign(expected - scores[params.first_row + row]);
  for (var j = 0u; j < params.columns; j++) {
    let p = exp(logits[start + j] - top) / total;
    dlogits[start + j] = factor * p * (levels[j] - expected);
  }
  //#end
}
