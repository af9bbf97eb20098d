// y[i] = x[i] as another type, four at a time. Numbers become whole ones by cutting their fraction off:
//   i   held at −2^31 and 2^31 − 1
//   u   modulo 2^32 from −2^31 on, so that −1 is 2^32 − 1; beyond −2^31 and 2^32 they are held at the ends
//   b   held at 0 and 255
// and NaN is 0. Whole numbers become the nearest number, and each other modulo 2^32, bytes modulo 256.
//
// One invocation makes one vec4, of bytes one word. GIVEN, MADE: f, i, u or b, the kind of x and of y.   WORKGROUP: invocations of a
// workgroup.
//#use number/nan

struct Params {
  count4: u32,
}

//#if GIVEN == b
alias Given = u32;
//#else
alias Given = vec4{{GIVEN}};
//#end
//#if MADE == b
alias Made = u32;
//#else
alias Made = vec4{{MADE}};
//#end

@group(0) @binding(0) var<storage, read> x: array<Given>;
@group(0) @binding(1) var<storage, read_write> y: array<Made>;
@group(1) @binding(0) var<uniform> params: Params;

//#if MADE == b
fn as_made(v: vec4u) -> u32 {
  let bytes = v & vec4u(255u);
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
//#end

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  //#if GIVEN == b
  let word = x[i];
  let v = vec4u(word, word >> 8u, word >> 16u, word >> 24u) & vec4u(255u);
  //#else
  let v = x[i];
  //#end
  //#if GIVEN == f
  // The largest numbers below 2^31 and 2^32 are 2^31 − 128 and 2^32 − 256.
  let low = vec4i(clamp(v, vec4f(-2147483648.0), vec4f(2147483520.0)));
  //#if MADE == i
  let whole = select(low, vec4i(0x7fffffff), v >= vec4f(2147483648.0));
  y[i] = select(whole, Made(), is_nan4(v));
  //#end
  //#if MADE == u
  let high = vec4u(clamp(v, vec4f(), vec4f(4294967040.0)));
  let above = select(high, vec4u(0xffffffffu), v > vec4f(4294967040.0));
  let whole = select(bitcast<vec4u>(low), above, v >= vec4f(2147483648.0));
  y[i] = select(whole, Made(), is_nan4(v));
  //#end
  //#if MADE == b
  let whole = vec4u(clamp(low, vec4i(), vec4i(255)));
  y[i] = as_made(select(whole, vec4u(), is_nan4(v)));
  //#end
  //#else
  //#if MADE == f
  //#if GIVEN == b
  y[i] = vec4f(v);
  //#else
  // Halves are exact, so that their sum is rounded once; drivers do not convert all words to the nearest.
  y[i] = vec4f(v >> vec4u(16u)) * 65536.0 + vec4f(v & Given(0xffff));
  //#end
  //#else
  //#if MADE == b
  y[i] = as_made(vec4u(v));
  //#else
  y[i] = Made(v);
  //#end
  //#end
  //#end
}
