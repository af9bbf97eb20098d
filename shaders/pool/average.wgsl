// y[n, i, j, c] = 1/count · Σ over th, tw of x[n, i·stride_h − pad_h + th, j·stride_w − pad_w + tw, c], inside the picture
// count: all taps of the kernel with COUNT_PADDING, else those inside the picture
//
// One invocation (j, c; i; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// WORKGROUP: invocations of a workgroup.
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
}

//#use number/element

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
  let h_first = u32(max(h0, 0));
  let w_first = u32(max(w0, 0));
  let h_end = min(u32(h0 + params.kernel_h), params.in_height);
  let w_end = min(u32(w0 + params.kernel_w), params.in_width);
  var sum = Element();
  for (var h = h_first; h < h_end; h++) {
    let line = (id.z * params.in_height + h) * params.in_width;
    for (var w = w_first; w < w_end; w++) {
      sum += x[(line + w) * params.channels + c];
    }
  }
  //#if COUNT_PADDING
  let count = f32(params.kernel_h * params.kernel_w);
  //#else
  let count = f32((h_end - h_first) * (w_end - w_first));
  //#end
  y[(id.z * params.out_height + id.y) * params.out_width * params.channels + id.x] = sum / count;
}
