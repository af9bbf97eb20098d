// y[i] = f(a[i], b[i]) or f(a[i], b[i], c[i]) for what a division leaves and for powers, with the special values of IEEE 754; operands as in
// elementwise/broadcast:
//   pow                              a^b, 1 for a⁰ and 1^b
//   pow_base, pow_exponent           c · b · a^(b−1), 0 for b = 0    c · a^b · ln a, 0 for a = 0 ≤ b
//   fmod, remainder                  a − b · trunc(a/b) without rounding, and the same moved by b where its sign is not that of b
//   fmod_divisor, remainder_divisor  −c · trunc(a/b)    −c · ⌊a/b⌋
//
// One invocation makes one element of y, of the operands of elementwise/operands. OP: one of the names above.   WORKGROUP: invocations of
// a workgroup.
//#use elementwise/operands

// A number of these bits, which no compiler sees through: WGSL has no constants for infinities and NaN.
fn of_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits | (params.count >> 31u));
}

// x^n for |n| ≤ 64, by multiplication: exact to rounding.
fn whole_power(x: f32, n: f32) -> f32 {
  var result = 1.0;
  var square = x;
  for (var bits = u32(abs(n)); bits > 0u; bits >>= 1u) {
    if ((bits & 1u) == 1u) {
      result *= square;
    }
    square *= square;
  }
  return select(result, 1.0 / result, n < 0.0);
}

fn power_of_one(x: f32, exponent: f32) -> f32 {
  let one = 0x3f800000u;
  let infinite = 0x7f800000u;
  let size = bitcast<u32>(x) & 0x7fffffffu;
  let exponent_size = bitcast<u32>(exponent) & 0x7fffffffu;
  if (exponent_size == 0u || bitcast<u32>(x) == one) {
    return 1.0;
  }
  if (size > infinite || exponent_size > infinite) {
    return of_bits(0x7fc00000u);
  }
  let falling = bitcast<u32>(exponent) > 0x80000000u;
  if (exponent_size == infinite) {
    if (size == one) {
      return 1.0;
    }
    return select(0.0, of_bits(infinite), (size > one) != falling);
  }
  // From 2^23 on every number is whole, from 2^24 on even.
  let whole = exponent_size >= 0x4b000000u || floor(exponent) == exponent;
  let odd = whole && exponent_size < 0x4b800000u && (u32(abs(exponent)) & 1u) == 1u;
  let negative = bitcast<u32>(x) >= 0x80000000u;
  var result: f32;
  if (size == 0u || size == infinite) {
    result = select(0.0, of_bits(infinite), (size == 0u) == falling);
  } else if (negative && !whole) {
    result = of_bits(0x7fc00000u);
  } else if (whole && abs(exponent) <= 64.0) {
    result = whole_power(abs(x), exponent);
  } else {
    result = exp2(exponent * log2(abs(x)));
  }
  return select(result, -result, negative && odd);
}

fn power(x: Operand, exponent: Operand) -> Operand {
  //#if VECTOR
  return vec4f(
    power_of_one(x.x, exponent.x),
    power_of_one(x.y, exponent.y),
    power_of_one(x.z, exponent.z),
    power_of_one(x.w, exponent.w),
  );
  //#else
  return power_of_one(x, exponent);
  //#end
}

// ln v: −∞ at 0, NaN below.
fn logarithm_of_one(v: f32) -> f32 {
  let size = bitcast<u32>(v) & 0x7fffffffu;
  if (size == 0u) {
    return of_bits(0xff800000u);
  }
  if (size > 0x7f800000u || v < 0.0) {
    return of_bits(0x7fc00000u);
  }
  return log(v);
}

fn logarithm(v: Operand) -> Operand {
  //#if VECTOR
  return vec4f(logarithm_of_one(v.x), logarithm_of_one(v.y), logarithm_of_one(v.z), logarithm_of_one(v.w));
  //#else
  return logarithm_of_one(v);
  //#end
}

// A magnitude's mantissa in 2^23 … 2^24 − 1, and the exponent that belongs to it.
fn mantissa(size: u32) -> vec2i {
  let exponent = i32(size >> 23u);
  if (exponent > 0) {
    return vec2i(i32((size & 0x7fffffu) | 0x800000u), exponent);
  }
  let shift = countLeadingZeros(size) - 8u;
  return vec2i(i32(size << shift), 1 - i32(shift));
}

// Long division of the mantissas, bit by bit: what is left never exceeds 25 bits.
fn divided_of_one(x: f32, divisor: f32) -> f32 {
  let size = bitcast<u32>(x) & 0x7fffffffu;
  let divisor_size = bitcast<u32>(divisor) & 0x7fffffffu;
  if (size >= 0x7f800000u || divisor_size > 0x7f800000u || divisor_size == 0u) {
    return of_bits(0x7fc00000u);
  }
  if (size < divisor_size) {
    return x;
  }
  let whole = mantissa(size);
  let by = mantissa(divisor_size);
  var left = whole.x;
  for (var exponent = whole.y; exponent > by.y; exponent--) {
    left = select(left, left - by.x, left >= by.x) << 1u;
  }
  left = select(left, left - by.x, left >= by.x);
  let sign = bitcast<u32>(x) & 0x80000000u;
  if (left == 0) {
    return bitcast<f32>(sign);
  }
  let shift = i32(countLeadingZeros(u32(left))) - 8;
  let exponent = by.y - shift;
  if (exponent > 0) {
    return bitcast<f32>(sign | (u32(exponent) << 23u) | ((u32(left) << u32(shift)) & 0x7fffffu));
  }
  // A denormal number, counted in steps of the smallest one.
  let places = by.y - 1;
  return bitcast<f32>(sign | select(u32(left) >> u32(-places), u32(left) << u32(places), places >= 0));
}

fn divided(x: Operand, divisor: Operand) -> Operand {
  //#if VECTOR
  return vec4f(
    divided_of_one(x.x, divisor.x),
    divided_of_one(x.y, divisor.y),
    divided_of_one(x.z, divisor.z),
    divided_of_one(x.w, divisor.w),
  );
  //#else
  return divided_of_one(x, divisor);
  //#end
}

// Whether what is left lies on the other side of 0 than the divisor.
fn beside(part: Operand, divisor: Operand) -> Truth {
  return (part != Operand()) & ((part < Operand()) != (divisor < Operand())) & !is_nan(part);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  let given = operands_at(index);
  let left = given.left;
  let right = given.right;
  let third = given.third;
  //#if OP == pow
  y[index] = power(left, right);
  //#end
  //#if OP == pow_base
  y[index] = select(third * (right * power(left, right - 1.0)), Result(), right == Operand());
  //#end
  //#if OP == pow_exponent
  y[index] = select(third * (power(left, right) * logarithm(left)), Result(), (left == Operand()) & (right >= Operand()));
  //#end
  //#if OP == fmod
  y[index] = divided(left, right);
  //#end
  //#if OP == remainder
  let part = divided(left, right);
  y[index] = select(part, part + right, beside(part, right));
  //#end
  //#if OP == fmod_divisor
  y[index] = -third * trunc(left / right);
  //#end
  //#if OP == remainder_divisor
  let part = divided(left, right);
  let times = round((left - part) / right) - select(Operand(), Operand(1.0), beside(part, right));
  y[index] = -third * select(times, left / right, right == Operand());
  //#end
}
