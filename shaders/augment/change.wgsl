// One operation on each picture of 8-bit levels, as Pillow does it, in whole numbers throughout.
//   kind 0  y = table[channel][x]
//   kind 1  between the luma of a pixel and the pixel
//   kind 2  between the pixel smoothed, ⌊(4 x + Σ of 3 x 3) / 13 + 1/2⌋, and the pixel
//   kind 3  between the pixel blurred, ⌊Σ of the 16 on the rim of 5 x 5 / 16 + 1/2⌋, and the pixel
//   kind 4  y[i, j] = x[(f + e i + d j) >> 16, (c + b i + a j) >> 16], black where that lies outside
// Kinds 1 to 3 go the share amount / 2^16 of the way, by augment/between; filters leave the border, of one or two pixels, as it is. A
// rectangle is filled afterwards.
//
// Invocation (j; i; n) makes one pixel. WORKGROUP: invocations of a workgroup. LAST: y is level / 255 as f32.
// Layouts: x [images, height, width] of R + 2^8 G + 2^16 B; tables [images, 3, 256]; y as x, or [images, height, width, 3]; windows of
// the batch that start at first_image. Four words of passes for each picture of the batch, signed ones as they are:
//   (kind, rule, amount, colour)  (a, b, c, 0)  (d, e, f, 0)  (top, left, bottom, right), bottom and right excluded
//#use augment/between
struct Params {
  height: u32,
  width: u32,
  first_image: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> passes: array<vec4u>;
//#if LAST
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
//#else
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

fn mixed(start: vec3u, end: vec3u, share: u32) -> vec3u {
  return vec3u(between(start.x, end.x, share), between(start.y, end.y, share), between(start.z, end.z, share));
}

// Σ over the square of (2 reach + 1)² pixels around a pixel `at`.
fn square(at: u32, reach: u32) -> vec3u {
  var sum = vec3u();
  for (var i = 0u; i <= 2u * reach; i++) {
    for (var j = 0u; j <= 2u * reach; j++) {
      sum += channels(x[at + i * params.width + j - reach * (params.width + 1u)]);
    }
  }
  return sum;
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width) {
    return;
  }
  let own_pass = 4u * (params.first_image + id.z);
  let operation = passes[own_pass];
  let amount = operation.z;
  let start = id.z * params.height * params.width;
  let at = start + id.y * params.width + id.x;
  let own = channels(x[at]);
  // Pixels to the nearest border.
  let depth = min(min(id.x, params.width - 1u - id.x), min(id.y, params.height - 1u - id.y));
  var colour = own;
  switch operation.x {
    case 0u: {
      let table = 768u * id.z;
      colour = vec3u(tables[table + own.x], tables[table + 256u + own.y], tables[table + 512u + own.z]);
    }
    case 1u: {
      colour = mixed(vec3u(luma(own)), own, amount);
    }
    case 2u: {
      if (depth >= 1u) {
        colour = mixed((2u * (4u * own + square(at, 1u)) + 13u) / 26u, own, amount);
      }
    }
    case 3u: {
      if (depth >= 2u) {
        colour = mixed((square(at, 2u) - square(at, 1u) + 8u) >> vec3u(4u), own, amount);
      }
    }
    default: {
      let place = vec2i(i32(id.x), i32(id.y));
      let columns = bitcast<vec4i>(passes[own_pass + 1u]);
      let rows = bitcast<vec4i>(passes[own_pass + 2u]);
      // Below 0 it wraps to a large number.
      let column = u32((columns.z + columns.y * place.y + columns.x * place.x) >> 16u);
      let row = u32((rows.z + rows.y * place.y + rows.x * place.x) >> 16u);
      let inside = row < params.height && column < params.width;
      let source = select(at, start + row * params.width + column, inside);
      colour = select(vec3u(), channels(x[source]), inside);
    }
  }
  let hole = passes[own_pass + 3u];
  if (id.y >= hole.x && id.x >= hole.y && id.y < hole.z && id.x < hole.w) {
    colour = channels(operation.w);
  }
//#if LAST
  // A product is rounded alike everywhere, a quotient is not.
  let result = vec3f(colour) * 0.003921569f;
  y[3u * at] = result.x;
  y[3u * at + 1u] = result.y;
  y[3u * at + 2u] = result.z;
//#else
  y[at] = colour.x | (colour.y << 8u) | (colour.z << 16u);
//#end
}
