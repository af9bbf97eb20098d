// y[i] = f(x[i]) for whole numbers with a sign, four at a time, modulo 2^32: −(−2^31) is −2^31.
//   abs    |x|        negate   −x        sign   −1, 0 or 1
//
// One invocation makes one vec4. OP: one of the names above.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4i>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4i>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  //#if OP == abs
  y[i] = abs(x[i]);
  //#end
  //#if OP == negate
  y[i] = -x[i];
  //#end
  //#if OP == sign
  y[i] = sign(x[i]);
  //#end
}
