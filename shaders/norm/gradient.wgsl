// Input gradient of a normalisation, with dz = dy, under RELU 0 where y = 0, which may be NaN elsewhere:
//   TRAINING:  dx = scale · inverse · (dz − Σdz/all_rows − x̂ · Σ(dz·x̂)/all_rows)      x̂ = (x − mean) · inverse
//   otherwise: dx = scale · inverse · dz
// and under RESIDUAL the gradient of what was added, dresidual = dz.
// x, y, dy, dx, dresidual: [rows, channels], moments, sums: [2, channels], scale: [channels]
//
// One invocation makes one vec4 of channels for BLOCK rows. TRAINING, RELU, RESIDUAL: true or false.
// VECTOR: true when channels come as vec4s, false for scalars.   WORKGROUP: invocations of a workgroup.
//#use number/element

struct Params {
  rows: u32,
  channels: u32,
  all_rows: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> moments: array<Element>;
@group(0) @binding(2) var<storage, read> scale: array<Element>;
@group(0) @binding(3) var<storage, read_write> dx: array<Element>;
//#if TRAINING
@group(0) @binding(4) var<storage, read> x: array<Element>;
@group(0) @binding(5) var<storage, read> sums: array<Element>;
//#end
//#if RELU
@group(0) @binding(6) var<storage, read> y: array<Element>;
//#end
//#if RESIDUAL
@group(0) @binding(7) var<storage, read_write> dresidual: array<Element>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let block = index / params.channels;
  let channel = index - block * params.channels;
  let start = block * {{BLOCK}}u;
  if (start >= params.rows) {
    return;
  }
  let mean = moments[channel];
  let inverse = moments[params.channels + channel];
  let slope = scale[channel] * inverse;
  //#if TRAINING
  let mean_dz = sums[channel] / params.all_rows;
  let tilt = inverse * sums[params.channels + channel] / params.all_rows;
  //#end
  let end = min(start + {{BLOCK}}u, params.rows);
  for (var row = start; row < end; row++) {
    let at = row * params.channels + channel;
    //#if RELU
    let dz = select(dy[at], Element(), y[at] == Element());
    //#else
    let dz = dy[at];
    //#end
    //#if RESIDUAL
    dresidual[at] = dz;
    //#end
    //#if TRAINING
    dx[at] = slope * (dz - mean_dz - (x[at] - mean) * tilt);
    //#else
    dx[at] = slope * dz;
    //#end
  }
}
