// loss[row] = √(1/m · Σ_j D_j²) with D_j = Σ_{k ≤ j} (p_k − t_k), p = softmax(logits[row]). As p is rounded, D_j is computed as
// Σ_{k ≤ j} (p_k − t_k) − (Σ_k p_k − 1) Σ_{k ≤ j} p_k.
// With GRADIENT, in the logits:
//   dlogits[row, j] = dlosses[row] · p_j (S_j − Σ_k p_k S_k) / (m · loss) with S_j = Σ_{k ≥ j} D_k, and 0 where the loss is 0
//
// LANES invocations make one row, see row/place and row/running: D_j is found on the way up, and so is
// Σ_k p_k S_k = Σ_k D_k Σ_{j ≤ k} p_j; S_j on the way down.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
// Layouts: logits, dlogits and targets t [rows, columns], a window of the batch that starts at first_row;
// losses, dlosses [B], whole.
//#use loss/common
//#use row/running

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dlosses: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;
//#else
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, top: vec2f) -> f32 {
  return exponential(logits[start + column] - top.x);
}

// What is kept of each chunk: Σ p − t, Σ p, Σ D², Σ D_k Σ_{j ≤ k} p_j, Σ D.
const DIFFERENCE = 0u;
const MASS = 1u;
const SQUARES = 2u;
const ALONG = 3u;
const DISTANCE = 4u;

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
  // An error of the total shifts every D_j by its share of the mass, and the D_j may be far smaller.
  let total = row_sum(0u, start, lane, vec2f(top, 0.0));
  for (var chunk = lane; chunk < CHUNKS; chunk += LANES) {
    let bounds = start + chunk_bounds(chunk);
    var difference = Running();
    var mass = Running();
    for (var at = bounds.x; at < bounds.y; at++) {
      let p = exp(logits[at] - top) / total;
      difference = plus_one(plus_one(difference, p), -targets[at]);
      mass = plus_one(mass, p);
    }
    keep(DIFFERENCE, chunk, difference);
    keep(MASS, chunk, mass);
  }
  kept();
  // What the quotients add up to above 1: total is rounded, and some drivers' quotients share an error. D_j has its share of the mass too much.
  let beyond = between(MASS, 0u, CHUNKS).total - 1.0;
  for (var chunk = lane; chunk < CHUNKS; chunk += LANES) {
    let bounds = start + chunk_bounds(chunk);
    var difference = between(DIFFERENCE, 0u, chunk);
    var mass = between(MASS, 0u, chunk);
    var squares = Running();
    var along = Running();
    var distance = Running();
    for (var at = bounds.x; at < bounds.y; at++) {
      let p = exp(logits[at] - top) / total;
      difference = plus_one(plus_one(difference, p), -targets[at]);
      mass = plus_one(mass, p);
      let d = difference.total - beyond * mass.total;
      squares = plus_one(squares, d * d);
      along = plus_one(along, d * mass.total);
      distance = plus_one(distance, d);
    }
    keep(SQUARES, chunk, squares);
    keep(ALONG, chunk, along);
    keep(DISTANCE, chunk, distance);
  }
  kept();
  let columns = f32(params.columns);
  let loss = sqrt(between(SQUARES, 0u, CHUNKS).total / columns);
  //#if GRADIENT
  let factor = select(0.0, dlosses[params.first_row + row] / (columns * loss), loss > 0.0);
  let mean = between(ALONG, 0u, CHUNKS).total;
  for (var chunk = lane; chunk < CHUNKS; chunk += LANES) {
    let bounds = start + chunk_bounds(chunk);
    var difference = between(DIFFERENCE, 0u, chunk + 1u);
    var mass = between(MASS, 0u, chunk + 1u);
    var sum = between(DISTANCE, chunk + 1u, CHUNKS);
    for (var at = bounds.y; at > bounds.x; at--) {
      let p = exp(logits[at - 1u] - top) / total;
      sum = plus_one(sum, difference.total - beyond * mass.total);
      dlogits[at - 1u] = factor * p * (sum.total - mean);
      difference = plus_one(plus_one(difference, -p), targets[at - 1u]);
      mass = plus_one(mass, -p);
    }
  }
  //#else
  if (lane == 0u) {
    losses[params.first_row + row] = loss;
  }
  //#end
}
