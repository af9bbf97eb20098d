// Convolution of every channel with a kernel of its own, zeros outside the picture:
//   y[n, i, j, c] = bias[c] + Σ_kh Σ_kw x[n, i·stride_h + kh − pad_h, j·STRIDE_W + kw − pad_w, c] · weight[kh, kw, c]
// With TRANSPOSED the gradient of its input, x being the gradient of its output and y that of the input:
//   y[n, h, w, c] = Σ_kh Σ_kw x[n, (h + pad_h − kh) / stride_h, (w + pad_w − kw) / STRIDE_W, c] · weight[kh, kw, c], where whole
//
// One invocation makes COLUMNS positions of a row for one Element (a vec4 of channels with VECTOR, when C is a multiple of
// 4), so that each Element of x and of the weight is loaded once for them; neighbouring invocations have neighbouring
// channels. Only columns are unrolled: software adapters take seconds to compile more loads than these.
// KERNEL_W: width of the kernel.   STRIDE_W: from 1.   COLUMNS: from 1; with TRANSPOSED a multiple of STRIDE_W.
// INPUT_COLUMNS: (COLUMNS − 1)·STRIDE_W + KERNEL_W, or with TRANSPOSED REACH + COLUMNS / STRIDE_W.
// REACH: ⌊(KERNEL_W − 1) / STRIDE_W⌋, columns of x before a tile that still reach it with TRANSPOSED.
// BIAS, VECTOR: true or false.   WORKGROUP: invocations of a workgroup.
// Layouts: x [images, in_height, in_width, C], weight [kernel_h, KERNEL_W, C], y [images, out_height, out_width, C].
struct Params {
  images: u32,
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  kernel_h: u32,
  stride_h: u32,
  pad_h: u32,
  pad_w: i32,
  tiles: u32, // in a row
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
//#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<Element>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const KERNEL_W = {{KERNEL_W}}u;
const STRIDE_W = {{STRIDE_W}};

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let tile = index / params.channels;
  let c = index - tile * params.channels;
  let line = tile / params.tiles;
  let image = line / params.out_height;
  if (image >= params.images) {
    return;
  }
  let i = line - image * params.out_height;
  let b = i32(tile - line * params.tiles);
  //#if TRANSPOSED
  // Tiles start where column + pad is a multiple of the stride.
  let left = b * {{COLUMNS}} - params.pad_w;
  let x_left = b * ({{COLUMNS}} / STRIDE_W) - {{REACH}};
  //#else
  let left = b * {{COLUMNS}};
  let x_left = left * STRIDE_W - params.pad_w;
  //#end
  //#if BIAS
  let start = bias[c];
  //#else
  let start = Element();
  //#end
  //#for s in 0..COLUMNS
  var sum_{{s}} = start;
  //#end
  var row: array<Element, {{INPUT_COLUMNS}}>;
  //#if TRANSPOSED
  for (var kh = (i + params.pad_h) % params.stride_h; kh < params.kernel_h; kh += params.stride_h) {
    // Below 0 the difference wraps; its quotient is still beyond every picture.
    let h = (i + params.pad_h - kh) / params.stride_h;
  //#else
  for (var kh = 0u; kh < params.kernel_h; kh++) {
    let h = i * params.stride_h + kh - params.pad_h;
  //#end
    let x_line = (image * params.in_height + h) * params.in_width;
    //#for u in 0..INPUT_COLUMNS
    {
      let w = u32(x_left + {{u}});
      let inside = h < params.in_height && w < params.in_width;
      row[{{u}}] = select(Element(), x[select(0u, (x_line + w) * params.channels + c, inside)], inside);
    }
    //#end
    let tap = kh * KERNEL_W * params.channels + c;
    //#for q in 0..KERNEL_W
    {
      let w = weight[tap + {{q}}u * params.channels];
      //#for s in 0..COLUMNS
      //#if TRANSPOSED
      if (({{s}} + STRIDE_W * {{REACH}} - {{q}}) % STRIDE_W == 0) {
        sum_{{s}} += row[max({{s}} + STRIDE_W * {{REACH}} - {{q}}, 0) / STRIDE_W] * w;
      }
      //#else
      sum_{{s}} += row[{{s}} * STRIDE_W + {{q}}] * w;
      //#end
      //#end
    }
    //#end
  }
  //#for s in 0..COLUMNS
  {
    let w = u32(left + {{s}});
    if (w < params.out_width) {
      y[(line * params.out_width + w) * params.channels + c] = sum_{{s}};
    }
  }
  //#end
}
