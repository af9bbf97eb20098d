// dx[row, c] = r · (g_c − mean(g) − x̂_c · mean(g · x̂))     g = dy · scale, x̂ = (x − m) · r, means over the row
// Without CENTRED: dx[row, c] = r · (g_c − x̂_c · mean(g · x̂))
// x, dy, dx: rows as layer_norm/place has them, scale: one number for each channel, moments: (m, r) of each row, from
// layer_norm/rows
//
// LANES invocations make one row, see row/place.   CENTRED: see above.   WIDTH: see layer_norm/place.
// VECTOR: rows are whole vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
//#use row/sum
//#use layer_norm/place

struct Params {
  rows: u32,
  columns: u32,
  length: f32, // elements of a row
  //#if WIDTH != 0
  groups: u32,
  //#end
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read> scale: array<Element>;
@group(0) @binding(3) var<storage, read> moments: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(which: u32, start: u32, column: u32, moment: vec2f) -> Element {
  let i = at(start, column);
  let g = dy[i] * scale[channel(column)];
  if (which == 0u) {
    return g;
  }
  return g * ((x[i] - moment.x) * moment.y);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let row = row_of(group, groups, index);
  if (row >= params.rows) {
    return;
  }
  let lane = index % LANES;
  let start = start_of(row);
  let mean = moments[row].x;
  let inverse = moments[row].y;
  //#if LANES == 1
  // Both sums in one walk, in the order of row_sum().
  var sum = Element();
  var along = Element();
  for (var c = 0u; c < params.columns; c++) {
    sum += term(0u, start, c, vec2f());
    along += term(1u, start, c, vec2f(mean, inverse));
  }
  let sum_mean = total(sum) / params.length;
  let along_mean = total(along) / params.length;
  //#else
  //#if CENTRED
  let sum_mean = row_sum(0u, start, lane, vec2f()) / params.length;
  //#else
  let sum_mean = 0.0;
  //#end
  let along_mean = row_sum(1u, start, lane, vec2f(mean, inverse)) / params.length;
  //#end
  //#if CENTRED
  let g_mean = sum_mean;
  //#else
  let g_mean = 0.0;
  //#end
  for (var c = lane; c < params.columns; c += LANES) {
    let i = at(start, c);
    let centred = (x[i] - mean) * inverse;
    dx[i] = inverse * (dy[i] * scale[channel(c)] - g_mean - centred * along_mean);
  }
}
