// y[0] = Σ_i weights[i] · rows[i] / divisor, added in order
//
// One invocation does all of it: there are as many rows as pictures in a batch.
// Layouts: rows, weights [count].
struct Params {
  count: u32,
  divisor: f32,
}

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  for (var i = 0u; i < params.count; i++) {
    sum += weights[i] * rows[i];
  }
  y[0] = sum / params.divisor;
}
