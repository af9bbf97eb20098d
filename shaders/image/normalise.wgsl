// y[i] = (x[i] − mean_c) · factor_c with c the channel of element i, four elements at a time
//
// One invocation makes one vec4. PERIOD: vec4s after which the channels repeat, C / gcd(C, 4).
// WORKGROUP: invocations of a workgroup.
// Layouts: x, y [count4] vec4s, a window that starts `phase` vec4s after a multiple of PERIOD;
// table [2, PERIOD] vec4s of means and factors, whole.
struct Params {
  count4: u32,
  phase: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> table: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

const PERIOD = {{PERIOD}}u;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let c = (params.phase + i) % PERIOD;
  y[i] = (x[i] - table[c]) * table[PERIOD + c];
}
