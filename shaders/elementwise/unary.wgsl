// y[i] = f(x[i]) for every element, four at a time.   relu: max(x, 0)   scale: factor · x   exp: e^x   log: ln x
// (−∞ at 0, NaN below)   sqrt: √x   square: x²
//
// One invocation makes one vec4. OP: one of the names above.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// Compilers may take it that no float is NaN: what a number is, is read from its bits.
fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if OP == relu
  // As whole numbers, the bits of −0 … −∞ are those up to that of −∞; NaN of either sign lies above.
  y[i] = select(v, vec4f(), bitcast<vec4i>(v) <= vec4i(-8388608));
  //#end
  //#if OP == scale
  y[i] = params.factor * v;
  //#end
  //#if OP == exp
  y[i] = select(exp(v), v, is_nan(v));
  //#end
  //#if OP == log
  // WGSL leaves open what the logarithm of 0, of a negative number and of NaN is, and drivers differ. What it is here cannot
  // be written as a constant, hence bits that no compiler of WGSL sees through.
  let zero = params.count4 >> 31u;
  let undefined_value = bitcast<f32>(0x7fc00000u | zero);
  let lowest = bitcast<f32>(0xff800000u | zero);
  y[i] = select(select(vec4f(undefined_value), vec4f(lowest), v == vec4f()), log(v), v > vec4f());
  //#end
  //#if OP == sqrt
  y[i] = sqrt(v);
  //#end
  //#if OP == square
  y[i] = v * v;
  //#end
}
