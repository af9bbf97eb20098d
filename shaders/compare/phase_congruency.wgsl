// Phase congruency over four orientations (Kovesi 1999, as FSIM has it):
//
//   y = Σ_o max(energy_o − t_o, 0) / amplitude      t_o = noise_o √median_o
//
// where a median is that of the squared answers of the finest filter, which says how much noise there is. Where the amplitudes add to less than
// `least`, which is what rounding leaves of a flat area, y is 0.
// energy: [4, count], amplitude, y: [count], medians, noise: [4].
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  least: f32,
}

@group(0) @binding(0) var<storage, read> energy: array<f32>;
@group(0) @binding(1) var<storage, read> amplitude: array<f32>;
@group(0) @binding(2) var<storage, read> medians: array<f32>;
@group(0) @binding(3) var<storage, read> noise: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  var total = 0.0;
  for (var o = 0u; o < 4u; o++) {
    total += max(energy[o * params.count + index] - noise[o] * sqrt(medians[o]), 0.0);
  }
  y[index] = select(0.0, total / amplitude[index], amplitude[index] >= params.least);
}
