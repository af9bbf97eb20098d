// dx[n, h, w, c] = Σ of dy[n, i, j, c] / count(i, j) over the windows (i, j) that cover (h, w):
//   h + pad_h = i·STRIDE_HEIGHT + th·DILATION_HEIGHT for some th < kernel_h, and so for the width
// count: as in pool/average
//
// One invocation (w, c; h; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// STRIDE_*, DILATION_*: at least 1; constants, because a division by a parameter costs a software adapter more than a load.
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
  end_h: i32,
  end_w: i32,
}

//#use number/element
//#use pool/taps_before

const STRIDE_HEIGHT = {{STRIDE_HEIGHT}};
const STRIDE_WIDTH = {{STRIDE_WIDTH}};
const DILATION_HEIGHT = {{DILATION_HEIGHT}};
const DILATION_WIDTH = {{DILATION_WIDTH}};

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

// Taps of a window that are counted along an axis: those from its start to the end of the padding, or inside the picture.
fn counted(start: i32, kernel: i32, dilation: i32, extent: u32, end: i32) -> i32 {
  //#if COUNT_PADDING
  return taps_before(end, start, kernel, dilation);
  //#else
  return taps_before(i32(extent), start, kernel, dilation) - taps_before(0, start, kernel, dilation);
  //#end
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
  // The first window that reaches the position is ⌈(padded − span + 1) / stride⌉, and at least 0.
  let h_span = (params.kernel_h - 1) * DILATION_HEIGHT + 1;
  let w_span = (params.kernel_w - 1) * DILATION_WIDTH + 1;
  let i_first = max(0, h_padded - h_span + STRIDE_HEIGHT) / STRIDE_HEIGHT;
  let j_first = max(0, w_padded - w_span + STRIDE_WIDTH) / STRIDE_WIDTH;
  let i_last = min(h_padded / STRIDE_HEIGHT, i32(params.out_height) - 1);
  let j_last = min(w_padded / STRIDE_WIDTH, i32(params.out_width) - 1);
  var sum = Element();
  for (var i = i_first; i <= i_last; i++) {
    let from_h = h_padded - i * STRIDE_HEIGHT;
    if (from_h % DILATION_HEIGHT != 0) {
      continue;
    }
    let rows = counted(i * STRIDE_HEIGHT - params.pad_h, params.kernel_h, DILATION_HEIGHT, params.in_height, params.end_h);
    let line = (id.z * params.out_height + u32(i)) * params.out_width;
    for (var j = j_first; j <= j_last; j++) {
      let from_w = w_padded - j * STRIDE_WIDTH;
      if (from_w % DILATION_WIDTH != 0) {
        continue;
      }
      let columns = counted(j * STRIDE_WIDTH - params.pad_w, params.kernel_w, DILATION_WIDTH, params.in_width, params.end_w);
      sum += dy[(line + u32(j)) * params.channels + c] / f32(rows * columns);
    }
  }
  dx[(id.z * params.in_height + id.y) * params.in_width * params.channels + id.x] = sum;
}
