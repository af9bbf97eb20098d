// y[n, i, j] = the pixel of picture n that its view shows at (i, j): a part of the picture, resized, mirrored, shifted, turned by
// quarters, its patches in another order, a rectangle filled, and grey, in this order. (i, j) is followed backwards through them.
//
// Places are whole numbers throughout. Colours that are not only moved are computed in whole numbers too, in steps of 2^-15, so
// that no driver rounds in another way:
//   resized   (Σ_s rows[s] · ((Σ_t columns[t] · x[first_row + s, first_column + t] + 2^14) >> 15) + 2^14) >> 15
//   grey      (19595 R + 38470 G + 7471 B + 2^15) >> 16, the luma of ITU-R BT.601
// A pixel of which a view that is not resized shows no more than another place keeps its bits.
//
// Invocation (j; i; n) makes one pixel. WORKGROUP: invocations of a workgroup. PACKED: y is one word a pixel, R + 2^8 G + 2^16 B,
// each rounded to the nearest of 256 levels; otherwise three f32.
// Layouts: x [images, in_height, in_width, 3] in [0, 1]; y [images, side, side, 3], or [images, side, side]; windows of the batch
// that start at first_image. Four words of views for each picture of the batch:
//   (top, left, map of rows, map of columns)                        part of the picture that is shown
//   (down, right, quarters + 4 · flip + 8 · grey, grid)             signed shift; quarters are anticlockwise
//   (top, left, bottom, right)                                      filled, bottom and right excluded
//   (order of patches, 4 bits each, in two words, 0, 0)             place k shows patch order[k]
// A map says for each of `side` outputs the first input, from the part's edge, and how many: spans [maps, side], with
// weights [maps, side, taps] that sum to 2^15.
struct Params {
  in_height: u32,
  in_width: u32,
  side: u32,
  taps: u32,
  first_image: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> views: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> weights: array<u32>;
//#if PACKED
@group(0) @binding(4) var<storage, read_write> y: array<u32>;
//#else
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

// (125, 123, 114) of 255 levels, about the mean of photographs.
const FILL = vec3u(16063u, 15806u, 14649u);

// Mirrored at the border, whose pixels are not repeated.
fn reflected(at: u32, shift: i32) -> u32 {
  let last = i32(params.side) - 1;
  let place = abs(i32(at) - shift);
  return u32(select(place, 2 * last - place, place > last));
}

fn pixel(picture: u32, row: u32, column: u32) -> vec3f {
  let at = ((picture * params.in_height + row) * params.in_width + column) * 3u;
  return vec3f(x[at], x[at + 1u], x[at + 2u]);
}

// The product is exact.
fn fixed(colour: vec3f) -> vec3u {
  return vec3u(clamp(colour, vec3f(), vec3f(1.0)) * 32768.0 + 0.5);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let side = params.side;
  if (id.x >= side) {
    return;
  }
  let view = 4u * (params.first_image + id.z);
  let part = views[view];
  let moves = views[view + 1u];
  let hole = views[view + 2u];
  let order = views[view + 3u];
  var i = id.y;
  var j = id.x;

  let grid = moves.w;
  let patch_side = side / grid;
  if (max(i, j) < grid * patch_side) {
    let place = grid * (i / patch_side) + j / patch_side;
    let shown = (select(order.x, order.y, place >= 8u) >> (4u * (place & 7u))) & 15u;
    i = (shown / grid) * patch_side + i % patch_side;
    j = (shown % grid) * patch_side + j % patch_side;
  }
  for (var quarter = moves.z & 3u; quarter > 0u; quarter--) {
    let turned = i;
    i = j;
    j = side - 1u - turned;
  }
  i = reflected(i, bitcast<i32>(moves.x));
  j = reflected(j, bitcast<i32>(moves.y));
  if ((moves.z & 4u) != 0u) {
    j = side - 1u - j;
  }

  let row_at = part.z * side + i;
  let column_at = part.w * side + j;
  let rows = spans[row_at];
  let columns = spans[column_at];
  let top = part.x + rows.x;
  let left = part.y + columns.x;
  let filled = id.y >= hole.x && id.x >= hole.y && id.y < hole.z && id.x < hole.w;
  let grey = (moves.z & 8u) != 0u;
//#if !PACKED
  let at = 3u * ((id.z * side + id.y) * side + id.x);
  if (max(rows.y, columns.y) == 1u && !filled && !grey) {
    let colour = pixel(id.z, top, left);
    y[at] = colour.x;
    y[at + 1u] = colour.y;
    y[at + 2u] = colour.z;
    return;
  }
//#end
  var colour = FILL;
  if (!filled) {
    colour = vec3u(16384u);
    for (var s = 0u; s < rows.y; s++) {
      var line = vec3u(16384u);
      for (var t = 0u; t < columns.y; t++) {
        line += weights[column_at * params.taps + t] * fixed(pixel(id.z, top + s, left + t));
      }
      colour += weights[row_at * params.taps + s] * (line >> vec3u(15u));
    }
    colour = colour >> vec3u(15u);
  }
  if (grey) {
    colour = vec3u((19595u * colour.x + 38470u * colour.y + 7471u * colour.z + 32768u) >> 16u);
  }
//#if PACKED
  let levels = (colour * 255u + 16384u) >> vec3u(15u);
  y[(id.z * side + id.y) * side + id.x] = levels.x | (levels.y << 8u) | (levels.z << 16u);
//#else
  let result = vec3f(colour) * 0x1p-15f;
  y[at] = result.x;
  y[at + 1u] = result.y;
  y[at + 2u] = result.z;
//#end
}
