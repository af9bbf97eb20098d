// y = scale · (x − mean) · inverse + shift, then + residual and max(·, 0) when asked for.
// x, residual, y: [rows, channels], moments: [2, channels] = (mean, inverse = 1/√(variance + ε)), scale, shift: [channels]
//
// One invocation makes one vec4 of channels for BLOCK rows, so that the channel's numbers are loaded once.
// RELU, RESIDUAL: true or false.   VECTOR: true when channels come as vec4s, false for scalars.
// WORKGROUP: invocations of a workgroup.
//#if VECTOR
alias Element = vec4f;
alias Bits = vec4i;
//#else
alias Element = f32;
alias Bits = i32;
//#end

struct Params {
  rows: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> moments: array<Element>;
@group(0) @binding(2) var<storage, read> scale: array<Element>;
@group(0) @binding(3) var<storage, read> shift: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
//#if RESIDUAL
@group(0) @binding(5) var<storage, read> residual: array<Element>;
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
  let slope = moments[params.channels + channel] * scale[channel];
  let base = shift[channel];
  let end = min(start + {{BLOCK}}u, params.rows);
  for (var row = start; row < end; row++) {
    let at = row * params.channels + channel;
    var value = fma(x[at] - mean, slope, base);
    //#if RESIDUAL
    value += residual[at];
    //#end
    //#if RELU
    // As whole numbers, the bits of −0 … −∞ are those up to that of −∞; NaN of either sign lies above.
    value = select(value, Element(), bitcast<Bits>(value) <= Bits(-8388608));
    //#end
    y[at] = value;
  }
}
