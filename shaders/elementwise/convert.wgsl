// y[i] = x[i] as another type, four at a time. Numbers become words by cutting their fraction off, modulo 2^32 from −2^31 on, so
// that −1 is 2^32 − 1; beyond they are held at the ends, and NaN is 0. Words become the nearest number.
//
// One invocation makes one vec4. WORDS: the words are made, else read.   WORKGROUP: invocations of a workgroup.
//#use number/nan

struct Params {
  count4: u32,
}

//#if WORDS
alias Given = vec4f;
alias Made = vec4u;
//#else
alias Given = vec4u;
alias Made = vec4f;
//#end

@group(0) @binding(0) var<storage, read> x: array<Given>;
@group(0) @binding(1) var<storage, read_write> y: array<Made>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  //#if WORDS
  let v = x[i];
  let held = clamp(v, vec4f(-2147483648.0), vec4f(2147483520.0));
  let low = bitcast<vec4u>(vec4i(held));
  let high = vec4u(clamp(v, vec4f(), vec4f(4294967040.0)));
  let words = select(low, select(high, vec4u(0xffffffffu), v > vec4f(4294967040.0)), v >= vec4f(2147483648.0));
  y[i] = select(words, vec4u(), is_nan4(v));
  //#else
  y[i] = vec4f(x[i]);
  //#end
}
