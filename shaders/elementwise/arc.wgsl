// y[i] = f(x[i]) for every element, four at a time. With GRADIENT: y[i] = dy[i] · f′(x[i]). What elementwise/unary is, for the angles that sines, cosines
// and tangents have. NaN beyond −1 … 1 for asin and acos.
//
//   asin acos atan    1/√(1 − x²), −1/√(1 − x²), 1/(1 + x²)
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
//#use elementwise/function

// The fits of Moshier, Cephes, "atanf" and "asinf", of errors below 2e-7, on one number after another for 0 ≤ v.

fn arc_tangent(v: vec4f) -> vec4f {
  let steep = v > vec4f(2.4142136);
  let middle = v > vec4f(0.41421356);
  let held = max(v, vec4f(0.4));
  let u = select(select(v, (v - 1.0) / (v + 1.0), middle), -1.0 / held, steep);
  let start = select(select(vec4f(), vec4f(0.78539816), middle), vec4f(1.5707963), steep);
  let z = u * u;
  return start + (((0.080537446 * z - 0.13877685) * z + 0.19977711) * z - 0.33332949) * z * u + u;
}

// arcsin v for 0 ≤ v ≤ ½ by z = v².
fn small_arc_sine(v: vec4f, z: vec4f) -> vec4f {
  return ((((0.042163199 * z + 0.024181311) * z + 0.045470026) * z + 0.074953003) * z + 0.16666752) * z * v + v;
}

// arcsin v for v from 0 to 1.
fn arc_sine(v: vec4f) -> vec4f {
  let far = v > vec4f(0.5);
  let z = select(v * v, 0.5 * (1.0 - v), far);
  let part = small_arc_sine(select(v, sqrt(z), far), z);
  return select(part, 1.5707963 - 2.0 * part, far);
}

// arccos v for v from −1 to 1.
fn arc_cosine(v: vec4f) -> vec4f {
  let size = abs(v);
  let far = size > vec4f(0.5);
  let z = select(v * v, 0.5 * (1.0 - size), far);
  let part = small_arc_sine(select(v, sqrt(z), far), z);
  let outside = select(2.0 * part, 3.1415927 - 2.0 * part, v < vec4f());
  return select(1.5707963 - part, outside, far);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  let size = abs(v);
  let undefined_value = of_bits(0x7fc00000u);
  let beyond = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) == vec4u(0x7f800000u);
  //#if OP == atan
  //#if GRADIENT
  y[i] = kept(dy[i] / (1.0 + v * v), v);
  //#else
  y[i] = kept(sign(v) * select(arc_tangent(min(size, vec4f(1e30))), vec4f(1.5707963), beyond), v);
  //#end
  //#else
  // 1 − x² without its cancellation near 1. At 1 it is 0, and the slope infinite.
  let rest = (1.0 - v) * (1.0 + v);
  //#if GRADIENT
  let slope = select(1.0 / sqrt(rest), undefined_value, rest < vec4f());
  //#if OP == asin
  y[i] = kept(dy[i] * slope, v);
  //#else
  y[i] = kept(-dy[i] * slope, v);
  //#end
  //#else
  //#if OP == asin
  y[i] = kept(select(sign(v) * arc_sine(min(size, vec4f(1.0))), undefined_value, size > vec4f(1.0)), v);
  //#else
  y[i] = kept(select(arc_cosine(clamp(v, vec4f(-1.0), vec4f(1.0))), undefined_value, size > vec4f(1.0)), v);
  //#end
  //#end
  //#end
}
