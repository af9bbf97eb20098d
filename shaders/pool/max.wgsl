// y[n, i, j, c] = max over th, tw of x[n, i·STRIDE_HEIGHT − pad_h + th·DILATION_HEIGHT, j·STRIDE_WIDTH − pad_w + tw·DILATION_WIDTH, c],
// inside the picture
// index = th·KERNEL_WIDTH + tw of the first tap that has the maximum, 8 bits for each of the 4 channels of a word
//
// One invocation (j, c; i; n) makes one Element: a vec4 of channels with VECTOR, else one channel. Without dilation taps outside
// are clamped to the edge, which lies in the same window because every window meets the picture; with it they are left out.
// KERNEL_*: 1..16.   STRIDE_*, DILATION_*: at least 1.   DILATED: one of these is more.   VECTOR: C is a multiple of 4.
// INDEX: write the index as well.
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
const DILATION_HEIGHT = {{DILATION_HEIGHT}};
const DILATION_WIDTH = {{DILATION_WIDTH}};

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
  let h_first = (max(-h0, 0) + DILATION_HEIGHT - 1) / DILATION_HEIGHT;
  let w_first = (max(-w0, 0) + DILATION_WIDTH - 1) / DILATION_WIDTH;
  var tap = Tap(u32(h_first * KERNEL_WIDTH + w_first));
  for (var th = 0; th < KERNEL_HEIGHT; th++) {
    let h = clamp(h0 + th * DILATION_HEIGHT, 0, i32(params.in_height) - 1);
    let line = (id.z * params.in_height + u32(h)) * params.in_width;
    for (var tw = 0; tw < KERNEL_WIDTH; tw++) {
      let w = clamp(w0 + tw * DILATION_WIDTH, 0, i32(params.in_width) - 1);
      //#if DILATED
      if (h != h0 + th * DILATION_HEIGHT || w != w0 + tw * DILATION_WIDTH) {
        continue;
      }
      //#end
      let value = x[(line + u32(w)) * params.channels + c];
      // NaN wins, and no number wins over it.
      let wins = (value > best) | is_nan_element(value);
      best = select(best, value, wins);
      //#if INDEX
      //#if DILATED
      tap = select(tap, Tap(u32(th * KERNEL_WIDTH + tw)), wins);
      //#else
      tap = select(tap, Tap(u32((h - h0) * KERNEL_WIDTH + w - w0)), wins);
      //#end
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
