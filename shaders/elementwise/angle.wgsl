// y[i] = f(x[i]) for every element, four at a time. With GRADIENT: y[i] = dy[i] · f′(x[i]). What elementwise/unary is, for sine, cosine and
// tangent of any number; WGSL bounds the error of its own between −π and π alone. NaN at ±∞.
//
//   sin cos tan    cos x, −sin x, 1 + tan² x
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
//#use elementwise/function

// 2/π in binary, 32 digits a word, with 32 zeros before the point.
const two_by_pi = array<u32, 8>(
  0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
);

// The nearest multiple of π/2 modulo 4, and what is left of v ≥ π/4 beside it, for any finite number (Payne & Hanek 1983): v
// is a mantissa of 24 bits times a power of 2, and of its product with 2/π only 96 bits of the latter matter.
struct Reduced {
  quarter: u32,
  rest: f32,
}

fn reduced(size: f32) -> Reduced {
  let bits = bitcast<u32>(size);
  let mantissa = (bits & 0x7fffffu) | 0x800000u;
  // Digits of 2/π before this place give whole turns.
  let place = (bits >> 23u) - 120u;
  var table = two_by_pi;
  var product = 0u;
  var words = array<u32, 3>();
  // Byte by byte from the lowest: a mantissa times a byte and a carry of 24 bits fit 32.
  for (var word = 3u; word > 0u; word--) {
    let at = place + 32u * (word - 1u);
    let shift = at % 32u;
    let high = table[at / 32u];
    let digits = select((high << shift) | (table[at / 32u + 1u] >> (32u - shift)), high, shift == 0u);
    var made = 0u;
    for (var byte = 0u; byte < 32u; byte += 8u) {
      product = mantissa * ((digits >> byte) & 255u) + (product >> 8u);
      made |= (product & 255u) << byte;
    }
    words[word - 1u] = made;
  }
  // Two bits of quarters, then the fraction, of which half and more belongs to the next quarter.
  var quarter = words[0] >> 30u;
  var fraction = vec2u((words[0] << 2u) | (words[1] >> 30u), (words[1] << 2u) | (words[2] >> 30u));
  let above = fraction.x >= 0x80000000u;
  if (above) {
    quarter += 1u;
    fraction = vec2u(~fraction.x, ~fraction.y);
  }
  let turned = (f32(fraction.x) * 2.3283064365386963e-10 + f32(fraction.y) * 5.421010862427522e-20) * 1.5707963267948966;
  return Reduced(quarter, select(turned, -turned, above));
}

// (cos v, sin v), NaN for ±∞: the fits of Moshier, Cephes, "sinf" and "cosf", of errors below 1e-7.
fn turn(v: f32) -> vec2f {
  let bits = bitcast<u32>(v) & 0x7fffffffu;
  if (bits >= 0x7f800000u) {
    return vec2f(bitcast<f32>(0x7fc00000u | (params.count4 >> 31u)));
  }
  var r = Reduced(0u, abs(v));
  if (abs(v) > 0.78539816) {
    r = reduced(abs(v));
  }
  let z = r.rest * r.rest;
  let s = r.rest + r.rest * z * (-0.16666655 + z * (0.0083321609 - z * 0.00019515296));
  let c = 1.0 - 0.5 * z + z * z * (0.041666646 + z * (-0.0013887316 + z * 2.4433157e-05));
  // A quarter turn takes (c, s) to (−s, c).
  var point = select(vec2f(c, s), vec2f(-s, c), (r.quarter & 1u) == 1u);
  point = select(point, -point, (r.quarter & 2u) == 2u);
  return vec2f(point.x, select(point.y, -point.y, (bitcast<u32>(v) >> 31u) == 1u));
}

fn sine(v: vec4f) -> vec4f {
  return vec4f(turn(v.x).y, turn(v.y).y, turn(v.z).y, turn(v.w).y);
}

fn cosine(v: vec4f) -> vec4f {
  return vec4f(turn(v.x).x, turn(v.y).x, turn(v.z).x, turn(v.w).x);
}

fn tangent(v: vec4f) -> vec4f {
  let points = mat4x2f(turn(v.x), turn(v.y), turn(v.z), turn(v.w));
  return vec4f(points[0].y / points[0].x, points[1].y / points[1].x, points[2].y / points[2].x, points[3].y / points[3].x);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if OP == sin
  //#if GRADIENT
  y[i] = kept(dy[i] * cosine(v), v);
  //#else
  y[i] = kept(sine(v), v);
  //#end
  //#end
  //#if OP == cos
  //#if GRADIENT
  y[i] = kept(-dy[i] * sine(v), v);
  //#else
  y[i] = kept(cosine(v), v);
  //#end
  //#end
  //#if OP == tan
  let ratio = tangent(v);
  //#if GRADIENT
  y[i] = kept(dy[i] * (1.0 + ratio * ratio), v);
  //#else
  y[i] = kept(ratio, v);
  //#end
  //#end
}
