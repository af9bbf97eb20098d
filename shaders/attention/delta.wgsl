// delta_i = dy_i · y_i, the share of a query row in the gradient of its softmax
//
// One invocation makes one number: it walks the row of one head.
// WORKGROUP: invocations of a workgroup.
// Layouts: y, dy [batch, queries, heads, row of width vec4s], delta [batch, sums_stride], of which
// [heads, queries] are used.
struct Params {
  rows: u32, // batch · queries · heads
  queries: u32,
  heads: u32,
  width: u32,
  sums_stride: u32,
}

@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let token = row / params.heads;
  let head = row - token * params.heads;
  let batch = token / params.queries;
  let query = token - batch * params.queries;
  let start = row * params.width;
  var sum = vec4f();
  for (var c = 0u; c < params.width; c++) {
    sum = fma(y[start + c], dy[start + c], sum);
  }
  delta[batch * params.sums_stride + head * params.queries + query] = dot(sum, vec4f(1));
}
