// Parts of pictures of 8-bit levels in the size of the whole, as Pillow resamples them: lines first, each rounded and held within 0 … 255,
// then columns of these.
//   y[i, j] = level(Σ_s rows[s] · level(Σ_t columns[t] · x[first_row + s, first_column + t])),  level(v) = ⌊v / 2^22 + 1/2⌋
//
// Invocation (j; i; n) makes one pixel of the pictures that have a part; the others' stay. WORKGROUP: invocations of a workgroup.
// Layouts: x, y [images, height, width] of R + 2^8 G + 2^16 B; windows of the batch that start at first_image. parts: (top, left, map
// of rows, map of columns) for each picture of the batch, a map counted in rows of spans, 2^32 − 1 where there is no part. spans:
// (first from the part's edge, how many); weights [spans, taps] in steps of 2^-22.
//#use augment/between
struct Params {
  height: u32,
  width: u32,
  taps: u32,
  first_image: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> parts: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> weights: array<i32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn level(sum: vec3i) -> vec3i {
  return clamp((sum + (1i << 21u)) >> vec3u(22u), vec3i(), vec3i(255));
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let part = parts[params.first_image + id.z];
  if (id.x >= params.width || part.z == 0xffffffffu) {
    return;
  }
  let row_at = part.z + id.y;
  let column_at = part.w + id.x;
  let rows = spans[row_at];
  let columns = spans[column_at];
  let start = id.z * params.height;
  var sum = vec3i();
  for (var s = 0u; s < rows.y; s++) {
    let line_at = (start + part.x + rows.x + s) * params.width + part.y + columns.x;
    var line = vec3i();
    for (var t = 0u; t < columns.y; t++) {
      line += weights[column_at * params.taps + t] * vec3i(channels(x[line_at + t]));
    }
    sum += weights[row_at * params.taps + s] * level(line);
  }
  let colour = vec3u(level(sum));
  y[(start + id.y) * params.width + id.x] = colour.x | (colour.y << 8u) | (colour.z << 16u);
}
