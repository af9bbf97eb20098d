// y[row, c] = scale[c] · (x[row, c] − m) · r + shift[c]     m = mean of the row, r = 1/√(variance + ε), variance the biased one
// x, y: [rows, columns], scale, shift: [columns], moments: (m, r) of each row
//
// One invocation makes one row, in three passes: mean, variance about it, result.
// VECTOR: rows are whole vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
//#use number/total

struct Params {
  rows: u32,
  columns: u32,
  length: f32, // elements of a row
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> scale: array<Element>;
@group(0) @binding(2) var<storage, read> shift: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> moments: array<vec2f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  var sum = Element();
  for (var c = 0u; c < params.columns; c++) {
    sum += x[start + c];
  }
  let mean = total(sum) / params.length;
  var squares = Element();
  for (var c = 0u; c < params.columns; c++) {
    let d = x[start + c] - mean;
    squares += d * d;
  }
  let variance = total(squares) / params.length;
  // The root of an infinite variance would make every element of the row its shift, and hide that the row has diverged.
  let is_infinite = (bitcast<u32>(variance) & 0x7fffffffu) == 0x7f800000u;
  let undefined_value = bitcast<f32>(0x7fc00000u | (params.rows >> 31u));
  let inverse = select(1.0 / sqrt(variance + params.epsilon), undefined_value, is_infinite);
  for (var c = 0u; c < params.columns; c++) {
    y[start + c] = scale[c] * ((x[start + c] - mean) * inverse) + shift[c];
  }
  moments[row] = vec2f(mean, inverse);
}
