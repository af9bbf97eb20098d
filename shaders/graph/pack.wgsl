// Rows made ready for the inner products of a neighbour search, padded with zeros to whole vec4s:
//
//   euclidean:  y[i] = x[i] − shift      bias[i] = −½ |y[i]|²     so that y[a]·y[b] + bias[b] = ½ (|y[a]|² − |a − b|²)
//   cosine:     y[i] = x[i] / |x[i]|     bias[i] = 0              (a zero row stays zero)
//
// x: [rows, channels], shift: [channels] with euclidean. y: [lines, padded], or [padded, lines] with TRANSPOSE. bias: [lines].
// Lines from `rows` on are padding: zeros with the lowest bias, so that no list of neighbours takes them.
// One invocation makes one line. METRIC: euclidean or cosine.   TRANSPOSE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  lines: u32,
  channels: u32,
  padded: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
//#if METRIC == euclidean
@group(0) @binding(3) var<storage, read> shift: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const LOWEST = -3.4e38;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let line = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (line >= params.lines) {
    return;
  }
  //#if TRANSPOSE
  let first = line;
  let step = params.lines;
  //#else
  let first = line * params.padded;
  let step = 1u;
  //#end
  var used = 0u;
  var line_bias = LOWEST;
  if (line < params.rows) {
    used = params.channels;
    let row = line * params.channels;
    var squares = 0.0;
    //#if METRIC == cosine
    for (var c = 0u; c < used; c++) {
      let v = x[row + c];
      squares += v * v;
    }
    let factor = select(0.0, 1.0 / sqrt(squares), squares > 0.0);
    for (var c = 0u; c < used; c++) {
      y[first + c * step] = x[row + c] * factor;
    }
    line_bias = 0.0;
    //#else
    for (var c = 0u; c < used; c++) {
      let v = x[row + c] - shift[c];
      squares += v * v;
      y[first + c * step] = v;
    }
    line_bias = -0.5 * squares;
    //#end
  }
  for (var c = used; c < params.padded; c++) {
    y[first + c * step] = 0.0;
  }
  bias[line] = line_bias;
}
