// y[n, i, j, c] = max over th, tw of x[n, i·STRIDE_HEIGHT − pad_h + th, j·STRIDE_WIDTH − pad_w + tw, c], inside the picture
// index = th·KERNEL_WIDTH + tw of the first tap that has the maximum, 8 bits for each of the 4 channels of a word
//
// One invocation (j, c; i; n) makes one Element: a vec4 of channels with VECTOR, else one channel. Taps outside are
// clamped to the edge, which lies in the same window because padding is at most half a kernel.
// KERNEL_*: 1..16.   STRIDE_*: at least 1.   VECTOR: C is a multiple of 4.   INDEX: write the index as well.
// WORKGROUP: invocations of a workgroup.
// Layouts: x [N, in_height, in_width, C], y [N, out_height, out_width, C]; index has one word per Element of y.
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  pad_h: i32,
  pad_w: i32,
}

//#use number/element_nan
//#use pool/tap

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
//#if INDEX
@group(0) @binding(2) var<storage, read_write> index: array<u32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const KERNEL_HEIGHT = {{KERNEL_HEIGHT}};
const KERNEL_WIDTH = {{KERNEL_WIDTH}};

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let j = id.x / params.channels;
  if (j >= params.out_width) {
    return;
  }
  let c = id.x - j * params.channels;
  let h0 = i32(id.y) * {{STRIDE_HEIGHT}} - params.pad_h;
  let w0 = i32(j) * {{STRIDE_WIDTH}} - params.pad_w;
  // −∞, which WGSL has no constant for; where all is −∞, the first place inside the picture is the largest one.
  var best = Element(bitcast<f32>(0xff800000u | (params.channels >> 31u)));
  var tap = Tap(u32(max(-h0, 0) * KERNEL_WIDTH + max(-w0, 0)));
  for (var th = 0; th < KERNEL_HEIGHT; th++) {
    let h = clamp(h0 + th, 0, i32(params.in_height) - 1);
    let line = (id.z * params.in_height + u32(h)) * params.in_width;
    for (var tw = 0; tw < KERNEL_WIDTH; tw++) {
      let w = clamp(w0 + tw, 0, i32(params.in_width) - 1);
      let value = x[(line + u32(w)) * params.channels + c];
      // NaN wins, and no number wins over it.
      let wins = (value > best) | is_nan_element(value);
      best = select(best, value, wins);
      //#if INDEX
      tap = select(tap, Tap(u32((h - h0) * KERNEL_WIDTH + w - w0)), wins);
      //#end
    }
  }
  let out = (id.z * params.out_height + id.y) * params.out_width * params.channels + id.x;
  y[out] = best;
  //#if INDEX
  //#if VECTOR
  index[out] = tap.x | (tap.y << 8u) | (tap.z << 16u) | (tap.w << 24u);
  //#else
  index[out] = tap;
  //#end
  //#end
}
