// y = Σ_q w(q) x(q) / Σ_q w(q),  w(q) = exp(−|p − q|² / (2·deviation²) − (guide(p) − guide(q))² / (2·range²)), for each channel alone
// (Tomasi & Manduchi 1998; with another guide than x Petschnigg et al. 2004), over the square of reach pixels around p, positions
// outside taken from the nearest edge, clipped to [0, 1]. x, guide, y: [height, width, channels].
//
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  channels: u32,
  reach: i32,
  deviation: f32,
  range: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> guide: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width * params.channels) {
    return;
  }
  let position = index / params.channels;
  let c = index - position * params.channels;
  let h = i32(position / params.width);
  let w = i32(position % params.width);
  let own = guide[index];
  let space = -0.5 / (params.deviation * params.deviation);
  let level = -0.5 / (params.range * params.range);
  var sum = 0.0;
  var total = 0.0;
  for (var i = -params.reach; i <= params.reach; i++) {
    let row = u32(clamp(h + i, 0, i32(params.height) - 1));
    for (var j = -params.reach; j <= params.reach; j++) {
      let column = u32(clamp(w + j, 0, i32(params.width) - 1));
      let at = (row * params.width + column) * params.channels + c;
      let difference = own - guide[at];
      let weight = exp(space * f32(i * i + j * j) + level * difference * difference);
      total += weight;
      sum = fma(weight, x[at], sum);
    }
  }
  y[index] = clamp(sum / total, 0.0, 1.0);
}
