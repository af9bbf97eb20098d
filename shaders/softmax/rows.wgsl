// y[row, j] = e^(x[row, j] − max) / Σ_k e^(x[row, k] − max)      with LOG: x[row, j] − max − ln Σ_k e^(x[row, k] − max)
//
// One invocation makes one row: no barriers, and no partial results to store.
// VECTOR: rows are whole vec4s and are taken four elements at a time.   LOG: see above.
// WORKGROUP: invocations of a workgroup.
// Layouts: x, y [rows, columns].
//#use softmax/common

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let end = start + params.columns;
  var largest = x[start];
  for (var i = start + 1u; i < end; i++) {
    largest = max(largest, x[i]);
  }
  //#if VECTOR
  let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
  //#else
  let top = largest;
  //#end
  var sum = Element();
  for (var i = start; i < end; i++) {
    sum += exponential(x[i] - top);
  }
  //#if VECTOR
  let total = dot(sum, vec4f(1));
  //#else
  let total = sum;
  //#end
  //#if LOG
  // A total of NaN makes the row NaN; the driver's logarithm may not.
  let shift = select(log(total), total, is_nan(total));
  for (var i = start; i < end; i++) {
    y[i] = x[i] - top - shift;
  }
  //#else
  for (var i = start; i < end; i++) {
    y[i] = exp(x[i] - top) / total;
  }
  //#end
}
