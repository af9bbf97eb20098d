// y[n, i, j, c] = 1/count · Σ over th, tw of x[n, i·stride_h − pad_h + th·DILATION_HEIGHT, j·stride_w − pad_w + tw·DILATION_WIDTH, c],
// inside the picture
// count: taps in front of end_h and end_w, where the padding ends, with COUNT_PADDING; else those inside the picture
//
// One invocation (j, c; i; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// DILATION_*: at least 1.   WORKGROUP: invocations of a workgroup.
// Layouts: x [N, in_height, in_width, C], y [N, out_height, out_width, C].
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  kernel_h: i32,
  kernel_w: i32,
  stride_h: i32,
  stride_w: i32,
  pad_h: i32,
  pad_w: i32,
  end_h: i32,
  end_w: i32,
}

//#use number/element
//#use pool/taps_before

const DILATION_HEIGHT = {{DILATION_HEIGHT}};
const DILATION_WIDTH = {{DILATION_WIDTH}};

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let j = id.x / params.channels;
  if (j >= params.out_width) {
    return;
  }
  let c = id.x - j * params.channels;
  let h0 = i32(id.y) * params.stride_h - params.pad_h;
  let w0 = i32(j) * params.stride_w - params.pad_w;
  let h_first = taps_before(0, h0, params.kernel_h, DILATION_HEIGHT);
  let w_first = taps_before(0, w0, params.kernel_w, DILATION_WIDTH);
  let h_end = taps_before(i32(params.in_height), h0, params.kernel_h, DILATION_HEIGHT);
  let w_end = taps_before(i32(params.in_width), w0, params.kernel_w, DILATION_WIDTH);
  var sum = Element();
  for (var th = h_first; th < h_end; th++) {
    let line = (id.z * params.in_height + u32(h0 + th * DILATION_HEIGHT)) * params.in_width;
    for (var tw = w_first; tw < w_end; tw++) {
      sum += x[(line + u32(w0 + tw * DILATION_WIDTH)) * params.channels + c];
    }
  }
  //#if COUNT_PADDING
  let count = f32(taps_before(params.end_h, h0, params.kernel_h, DILATION_HEIGHT)
    * taps_before(params.end_w, w0, params.kernel_w, DILATION_WIDTH));
  //#else
  let count = f32((h_end - h_first) * (w_end - w_first));
  //#end
  y[(id.z * params.out_height + id.y) * params.out_width * params.channels + id.x] = sum / count;
}
