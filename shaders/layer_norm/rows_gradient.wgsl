// dx[row, c] = r · (g_c − mean(g) − x̂_c · mean(g · x̂))     g = dy · scale, x̂ = (x − m) · r, means over the row
// x, dy, dx: [rows, columns], scale: [columns], moments: (m, r) of each row, from layer_norm/rows.wgsl
//
// One invocation makes one row. VECTOR: rows are whole vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
//#use number/total

struct Params {
  rows: u32,
  columns: u32,
  length: f32, // elements of a row
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read> scale: array<Element>;
@group(0) @binding(3) var<storage, read> moments: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let mean = moments[row].x;
  let inverse = moments[row].y;
  var sum = Element();
  var along = Element();
  for (var c = 0u; c < params.columns; c++) {
    let g = dy[start + c] * scale[c];
    sum += g;
    along += g * ((x[start + c] - mean) * inverse);
  }
  let g_mean = total(sum) / params.length;
  let along_mean = total(along) / params.length;
  for (var c = 0u; c < params.columns; c++) {
    let centred = (x[start + c] - mean) * inverse;
    dx[start + c] = inverse * (dy[start + c] * scale[c] - g_mean - centred * along_mean);
  }
}
