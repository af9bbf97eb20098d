// dx[n, h, w, c] = Σ of dy[n, i, j, c] / count(i, j) over the windows (i, j) that cover (h, w):
//   i·STRIDE_HEIGHT ≤ h + pad_h < i·STRIDE_HEIGHT + kernel_h, and so for the width
// count: all taps of the kernel with COUNT_PADDING, else those inside the picture
//
// One invocation (w, c; h; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// STRIDE_*: at least 1; constants, because a division by a parameter costs a software adapter more than a load.
// WORKGROUP: invocations of a workgroup.
// Layouts: dy [N, out_height, out_width, C], dx [N, in_height, in_width, C].
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  kernel_h: i32,
  kernel_w: i32,
  pad_h: i32,
  pad_w: i32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

// Taps of window i of an axis that lie inside the picture.
fn inside(i: i32, stride: i32, pad: i32, kernel: i32, extent: u32) -> i32 {
  let first = i * stride - pad;
  return min(first + kernel, i32(extent)) - max(first, 0);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let w = id.x / params.channels;
  if (w >= params.in_width) {
    return;
  }
  let c = id.x - w * params.channels;
  let h_padded = i32(id.y) + params.pad_h;
  let w_padded = i32(w) + params.pad_w;
  // The first window that reaches the position is ⌈(padded − kernel + 1) / stride⌉, and at least 0.
  let i_first = max(0, h_padded - params.kernel_h + {{STRIDE_HEIGHT}}) / {{STRIDE_HEIGHT}};
  let j_first = max(0, w_padded - params.kernel_w + {{STRIDE_WIDTH}}) / {{STRIDE_WIDTH}};
  let i_last = min(h_padded / {{STRIDE_HEIGHT}}, i32(params.out_height) - 1);
  let j_last = min(w_padded / {{STRIDE_WIDTH}}, i32(params.out_width) - 1);
  var sum = Element();
  for (var i = i_first; i <= i_last; i++) {
    let line = (id.z * params.out_height + u32(i)) * params.out_width;
    for (var j = j_first; j <= j_last; j++) {
      //#if COUNT_PADDING
      let count = params.kernel_h * params.kernel_w;
      //#else
      let count = inside(i, {{STRIDE_HEIGHT}}, params.pad_h, params.kernel_h, params.in_height)
        * inside(j, {{STRIDE_WIDTH}}, params.pad_w, params.kernel_w, params.in_width);
      //#end
      sum += dy[(line + u32(j)) * params.channels + c] / f32(count);
    }
  }
  dx[(id.z * params.in_height + id.y) * params.in_width * params.channels + id.x] = sum;
}
