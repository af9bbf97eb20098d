// y[i] = x[i] as another type, four at a time. Numbers become whole ones by cutting their fraction off:
//   i   held at −2^31 and 2^31 − 1
//   u   modulo 2^32 from −2^31 on, so that −1 is 2^32 − 1; beyond −2^31 and 2^32 they are held at the ends
// and NaN is 0. Whole numbers become the nearest number, and each other modulo 2^32.
//
// One invocation makes one vec4. GIVEN, MADE: f, i or u, the kind of x and of y.   WORKGROUP: invocations of a workgroup.
//#use number/nan

struct Params {
  count4: u32,
}

alias Given = vec4{{GIVEN}};
alias Made = vec4{{MADE}};

@group(0) @binding(0) var<storage, read> x: array<Given>;
@group(0) @binding(1) var<storage, read_write> y: array<Made>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if GIVEN == f
  // The largest numbers below 2^31 and 2^32 are 2^31 − 128 and 2^32 − 256.
  let low = vec4i(clamp(v, vec4f(-2147483648.0), vec4f(2147483520.0)));
  //#if MADE == i
  let whole = select(low, vec4i(0x7fffffff), v >= vec4f(2147483648.0));
  //#else
  let high = vec4u(clamp(v, vec4f(), vec4f(4294967040.0)));
  let above = select(high, vec4u(0xffffffffu), v > vec4f(4294967040.0));
  let whole = select(bitcast<vec4u>(low), above, v >= vec4f(2147483648.0));
  //#end
  y[i] = select(whole, Made(), is_nan4(v));
  //#else
  //#if MADE == f
  // Halves are exact, so that their sum is rounded once; drivers do not convert all words to the nearest.
  y[i] = vec4f(v >> vec4u(16u)) * 65536.0 + vec4f(v & Given(0xffff));
  //#else
  y[i] = Made(v);
  //#end
  //#end
}
