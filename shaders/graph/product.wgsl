// q = (I − gamma·W) p, and the first stage of p·q per column:   parts[s, :] = Σ p[i, :] · q[i, :] over the rows i of part s
//
// W: sparse, row_start [rows + 1], columns and values its entries. p, q: [rows, 4·columns4]. parts: [parts, 4·columns4].
// One invocation makes four columns of the rows_per_part rows of one part; neighbouring invocations share the entries.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns4: u32,
  parts: u32,
  rows_per_part: u32,
  gamma: f32,
}

@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> p: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> q: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> parts: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.parts * params.columns4) {
    return;
  }
  let part = i / params.columns4;
  let c = i - part * params.columns4;
  let first = part * params.rows_per_part;
  var dots = vec4f();
  var e = row_start[first];
  for (var row = first; row < min(first + params.rows_per_part, params.rows); row++) {
    let end = row_start[row + 1u];
    var sum = vec4f();
    for (; e < end; e++) {
      sum += values[e] * p[columns[e] * params.columns4 + c];
    }
    let own = p[row * params.columns4 + c];
    let product = own - params.gamma * sum;
    q[row * params.columns4 + c] = product;
    dots += own * product;
  }
  parts[i] = dots;
}
