// y[row, c] = scale[c] · (x[row, c] − m) · r + shift[c]     m = mean of the row, r = 1/√(variance + ε), variance the biased one
// Without CENTRED: y[row, c] = scale[c] · x[row, c] · r     m = 0, r = 1/√(mean of the squares + ε)
// x, y: rows as layer_norm/place has them, scale, shift: one number for each channel, moments: (m, r) of each row
//
// LANES invocations make one row, see row/place, in three passes: mean, variance about it, result.
// CENTRED: see above; without it there is no shift.   WIDTH: see layer_norm/place.
// VECTOR: rows are whole vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
//#use row/sum
//#use layer_norm/place

struct Params {
  rows: u32,
  columns: u32,
  length: f32, // elements of a row
  epsilon: f32,
  //#if WIDTH != 0
  groups: u32,
  //#end
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> scale: array<Element>;
//#if CENTRED
@group(0) @binding(2) var<storage, read> shift: array<Element>;
//#end
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> moments: array<vec2f>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, given: vec2f) -> Element {
  let v = x[at(start, column)];
  if (which == 0u) {
    return v;
  }
  return (v - given.x) * (v - given.x);
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
  let start = start_of(row);
  //#if CENTRED
  let mean = row_sum(0u, start, lane, vec2f()) / params.length;
  let variance = row_sum(1u, start, lane, vec2f(mean, 0.0)) / params.length;
  // The root of an infinite variance would make every element of the row its shift, and hide that the row has diverged.
  let is_infinite = (bitcast<u32>(variance) & 0x7fffffffu) == 0x7f800000u;
  let undefined_value = bitcast<f32>(0x7fc00000u | (params.rows >> 31u));
  let inverse = select(1.0 / sqrt(variance + params.epsilon), undefined_value, is_infinite);
  //#else
  let mean = 0.0;
  let inverse = 1.0 / sqrt(row_sum(1u, start, lane, vec2f()) / params.length + params.epsilon);
  //#end
  for (var c = lane; c < params.columns; c += LANES) {
    let i = at(start, c);
    //#if CENTRED
    y[i] = scale[channel(c)] * ((x[i] - mean) * inverse) + shift[channel(c)];
    //#else
    y[i] = scale[channel(c)] * (x[i] * inverse);
    //#end
  }
  if (lane == 0u) {
    moments[row] = vec2f(mean, inverse);
  }
}
