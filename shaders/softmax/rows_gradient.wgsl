// Softmax:               dx[row, j] = y[row, j] · (dy[row, j] − Σ_k dy[row, k] · y[row, k])
// Log-softmax, LOG:      dx[row, j] = dy[row, j] − e^y[row, j] · Σ_k dy[row, k]
//
// One invocation makes one row. VECTOR: rows are whole vec4s and are taken four elements at a time.
// WORKGROUP: invocations of a workgroup.
// Layouts: y (the output of softmax/rows), dy, dx [rows, columns].
//#use softmax/common

@group(0) @binding(0) var<storage, read> y: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let end = start + params.columns;
  var sum = Element();
  for (var i = start; i < end; i++) {
    //#if LOG
    sum += dy[i];
    //#else
    sum += dy[i] * y[i];
    //#end
  }
  //#if VECTOR
  let total = dot(sum, vec4f(1));
  //#else
  let total = sum;
  //#end
  for (var i = start; i < end; i++) {
    //#if LOG
    dx[i] = dy[i] - exponential(y[i]) * total;
    //#else
    dx[i] = y[i] * (dy[i] - total);
    //#end
  }
}
