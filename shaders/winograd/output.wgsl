// Last step of a 3x3 convolution by Winograd's minimal filtering, see winograd/input.wgsl:
//
//   out[image, m·u + i, m·v + j, :] = (Aᵀ · M · A)[i, j],   M[p, q] = products[p·SIZE + q, tile, :],   m = SIZE − 2
//
// with tile = (image·tiles_h + u)·tiles_w + v; positions beyond the picture are not written. What follows the
// convolution is applied as in conv/tile.wgsl: BIAS, NORM, ACTIVATION.
// Layouts: products [SIZE², tiles, O], out [images, out_height, out_width, O].
// One invocation makes one channel of one tile, neighbours in o.
//
// SIZE: 4 or 6.   OUTPUTS: SIZE − 2.   BIAS, NORM: true or false.   ACTIVATION: none, relu, relu6.   WORKGROUP: invocations.
//#use number/nan
//#use winograd/points

struct Params {
  // Number in out of the first tile, and how many there are.
  first_tile: u32,
  tiles: u32,
  tiles_h: u32,
  tiles_w: u32,
  out_height: u32,
  out_width: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> products: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
//#if BIAS
@group(0) @binding(2) var<storage, read> bias: array<f32>;
//#end
//#if NORM
@group(0) @binding(3) var<storage, read> moments: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read> shift: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

alias Outputs = array<f32, {{OUTPUTS}}>;

// Aᵀ · m for one column m. For m = 4 the column of a point p is (1, p, p², p³), that of ∞ (0, 0, 0, 1).
fn filtered(m: Line) -> Outputs {
  let even_a = m[1] + m[2];
  let odd_a = m[1] - m[2];
  //#if SIZE == 4
  return Outputs(m[0] + even_a, odd_a - m[3]);
  //#else
  let even_b = m[3] + m[4];
  let odd_b = m[3] - m[4];
  return Outputs(
    m[0] + even_a + even_b,
    A * odd_a + B * odd_b,
    (A * A) * even_a + (B * B) * even_b,
    (A * A * A) * odd_a + (B * B * B) * odd_b + m[5],
  );
  //#end
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let next = params.tiles * params.columns;
  if (at >= next) {
    return;
  }
  //#for j in 0..SIZE
  let column_{{j}} = filtered(Line(
    //#for i in 0..SIZE
    products[at + ({{i}}u * {{SIZE}}u + {{j}}u) * next],
    //#end
  ));
  //#end
  let tile = params.first_tile + at / params.columns;
  let column = at % params.columns;
  let line = tile / params.tiles_w;
  let image = line / params.tiles_h;
  let h = (line - image * params.tiles_h) * {{OUTPUTS}}u;
  let w = (tile - line * params.tiles_w) * {{OUTPUTS}}u;
  //#if BIAS
  let added = bias[column];
  //#end
  //#if NORM
  let mean = moments[column];
  let slope = moments[params.columns + column] * scale[column];
  let shifted = shift[column];
  //#end
  //#for i in 0..OUTPUTS
  let row_{{i}} = filtered(Line(
    //#for j in 0..SIZE
    column_{{j}}[{{i}}],
    //#end
  ));
  //#for j in 0..OUTPUTS
  if (h + {{i}}u < params.out_height && w + {{j}}u < params.out_width) {
    var value = row_{{i}}[{{j}}];
    //#if BIAS
    value += added;
    //#end
    //#if NORM
    value = fma(value - mean, slope, shifted);
    //#end
    //#if ACTIVATION == relu
    // As whole numbers, the bits of −0 … −∞ are those up to that of −∞; NaN of either sign lies above.
    value = select(value, 0.0, bitcast<i32>(value) <= -8388608);
    //#end
    //#if ACTIVATION == relu6
    value = select(clamp(value, 0.0, 6.0), value, is_nan(value));
    //#end
    out[((image * params.out_height + h + {{i}}u) * params.out_width + w + {{j}}u) * params.columns + column] = value;
  }
  //#end
  //#end
}
