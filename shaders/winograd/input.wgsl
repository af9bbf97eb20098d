// First of three steps of a 3x3 convolution by Winograd's minimal filtering F(m x m, 3x3), m = SIZE − 2 (Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2016), by evaluation at the points 0, ±1, ∞ for m = 2 and 0, ±A, ±B,
// ∞ for m = 4. A = 5/8 and B = 3/2 give a quarter of the rounding errors of the usual 1 and 2:
//
//   V[p·SIZE + q, tile, c] = (Bᵀ · d · B)[p, q],   d[i, j] = x[image, m·u + i + offset_h, m·v + j + offset_w, c]
//
// with tile = (image·tiles_h + u)·tiles_w + v, and zeros for positions of x outside the picture.
// Layouts: x [images, in_height, in_width, C], V [SIZE², tiles, C].
// One invocation makes one channel of one tile, neighbours in c: with four, drivers compile for many seconds.
//
// SIZE: 4 or 6.   WORKGROUP: invocations.
//#use winograd/points

struct Params {
  // Number in x of the first tile that is made, and how many are.
  first_tile: u32,
  tiles: u32,
  tiles_h: u32,
  tiles_w: u32,
  in_height: u32,
  in_width: u32,
  channels: u32,
  offset_h: i32,
  offset_w: i32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Bᵀ · d for one column d. For m = 4 the row of a point p holds the coefficients of x (x² − A²) (x² − B²) / (x − p).
fn filtered(d: Line) -> Line {
  //#if SIZE == 4
  return Line(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
  //#else
  let even_a = d[4] - (B * B) * d[2];
  let odd_a = A * (d[3] - (B * B) * d[1]);
  let even_b = d[4] - (A * A) * d[2];
  let odd_b = B * (d[3] - (A * A) * d[1]);
  return Line(
    (A * A * B * B) * d[0] - (A * A + B * B) * d[2] + d[4],
    even_a + odd_a,
    even_a - odd_a,
    even_b + odd_b,
    even_b - odd_b,
    (A * A * B * B) * d[1] - (A * A + B * B) * d[3] + d[5],
  );
  //#end
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.tiles * params.channels) {
    return;
  }
  let tile = params.first_tile + at / params.channels;
  let c = at % params.channels;
  let line = tile / params.tiles_w;
  let image = line / params.tiles_h;
  let h = i32((line - image * params.tiles_h) * ({{SIZE}}u - 2u)) + params.offset_h;
  let w = i32((tile - line * params.tiles_w) * ({{SIZE}}u - 2u)) + params.offset_w;
  //#for j in 0..SIZE
  let w_{{j}} = u32(w + {{j}});
  let inside_w_{{j}} = w_{{j}} < params.in_width;
  //#end
  //#for i in 0..SIZE
  let h_{{i}} = u32(h + {{i}});
  let inside_h_{{i}} = h_{{i}} < params.in_height;
  let base_{{i}} = (image * params.in_height + h_{{i}}) * params.in_width;
  //#for j in 0..SIZE
  let inside_{{i}}_{{j}} = inside_h_{{i}} && inside_w_{{j}};
  let d_{{i}}_{{j}} = select(0.0, x[select(0u, (base_{{i}} + w_{{j}}) * params.channels + c, inside_{{i}}_{{j}})], inside_{{i}}_{{j}});
  //#end
  //#end
  //#for j in 0..SIZE
  let column_{{j}} = filtered(Line(
    //#for i in 0..SIZE
    d_{{i}}_{{j}},
    //#end
  ));
  //#end
  let next = params.tiles * params.channels;
  //#for i in 0..SIZE
  let row_{{i}} = filtered(Line(
    //#for j in 0..SIZE
    column_{{j}}[{{i}}],
    //#end
  ));
  //#for j in 0..SIZE
  transformed[at + ({{i}}u * {{SIZE}}u + {{j}}u) * next] = row_{{i}}[{{j}}];
  //#end
  //#end
}
