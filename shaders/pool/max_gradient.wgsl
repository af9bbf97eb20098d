// dx[n, h, w, c] = Σ of dy[n, i, j, c] over the windows (i, j) that cover (h, w) and whose maximum lies there:
//   index[n, i, j, c] = (h + pad_h − i·STRIDE_HEIGHT)/DILATION_HEIGHT·KERNEL_WIDTH + (w + pad_w − j·STRIDE_WIDTH)/DILATION_WIDTH
//
// One invocation (b, c; a; n) makes the block of positions with ⌊(h + pad_h) / STRIDE_HEIGHT⌋ = a and
// ⌊(w + pad_w) / STRIDE_WIDTH⌋ = b, because they are all covered by the same WINDOWS_* windows ending at (a, b).
// KERNEL_*: 1..16.   STRIDE_*: 1..16.   DILATION_*: at least 1.   WINDOWS_*: ⌈span / STRIDE⌉ with span = (KERNEL − 1)·DILATION + 1.
// VECTOR: C is a multiple of 4.
// WORKGROUP: invocations of a workgroup.
// Layouts: dy [N, out_height, out_width, C], index one word per Element of dy as in pool/max, dx [N, in_height, in_width, C].
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  pad_h: i32,
  pad_w: i32,
  blocks_w: u32,
}

//#use pool/tap

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

const KERNEL_HEIGHT = {{KERNEL_HEIGHT}}u;
const KERNEL_WIDTH = {{KERNEL_WIDTH}}u;
const DILATION_HEIGHT = {{DILATION_HEIGHT}}u;
const DILATION_WIDTH = {{DILATION_WIDTH}}u;
const STRIDE_HEIGHT = {{STRIDE_HEIGHT}}u;
const STRIDE_WIDTH = {{STRIDE_WIDTH}}u;
// No tap has this number.
const NONE = 256u;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let b = id.x / params.channels;
  if (b >= params.blocks_w) {
    return;
  }
  let c = id.x - b * params.channels;
  //#for r in 0..STRIDE_HEIGHT
  //#for s in 0..STRIDE_WIDTH
  var sum_{{r}}_{{s}} = Element();
  //#end
  //#end
  for (var p = 0u; p < {{WINDOWS_HEIGHT}}u; p++) {
    let i = id.y - p; // wraps to a large number below 0
    for (var q = 0u; q < {{WINDOWS_WIDTH}}u; q++) {
      let j = b - q;
      let exists = i < params.out_height && j < params.out_width;
      let at = select(0u, ((id.z * params.out_height + i) * params.out_width + j) * params.channels + c, exists);
      let value = select(Element(), dy[at], exists);
      let word = index[at];
      //#if VECTOR
      let tap = (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
      //#else
      let tap = word;
      //#end
      //#for r in 0..STRIDE_HEIGHT
      //#for s in 0..STRIDE_WIDTH
      {
        let h_from = p * STRIDE_HEIGHT + {{r}}u;
        let w_from = q * STRIDE_WIDTH + {{s}}u;
        let th = h_from / DILATION_HEIGHT;
        let tw = w_from / DILATION_WIDTH;
        let met = th * DILATION_HEIGHT == h_from && tw * DILATION_WIDTH == w_from;
        let here = select(NONE, th * KERNEL_WIDTH + tw, met && th < KERNEL_HEIGHT && tw < KERNEL_WIDTH);
        sum_{{r}}_{{s}} += select(Element(), value, tap == Tap(here));
      }
      //#end
      //#end
    }
  }
  //#for r in 0..STRIDE_HEIGHT
  //#for s in 0..STRIDE_WIDTH
  {
    let h = u32(i32(id.y * STRIDE_HEIGHT + {{r}}u) - params.pad_h);
    let w = u32(i32(b * STRIDE_WIDTH + {{s}}u) - params.pad_w);
    if (h < params.in_height && w < params.in_width) {
      dx[((id.z * params.in_height + h) * params.in_width + w) * params.channels + c] = sum_{{r}}_{{s}};
    }
  }
  //#end
  //#end
}
