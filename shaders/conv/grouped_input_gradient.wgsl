// Input gradient of a convolution in groups:
//   dx[n, h, w, c] = Σ_kh Σ_kw Σ_o dy[n, i, j, o] · weight[kh, kw, c − g·group_channels, o]
// over the taps for which i = (h + pad_h − kh·dilation_h) / stride_h and j = (w + pad_w − kw·dilation_w) / stride_w are whole and inside dy, and
// over the columns o of the group g = c / group_channels. Layouts as in conv/grouped.wgsl.
//
// One invocation makes one element of dx. WORKGROUP: invocations of a workgroup.
//#use conv/grouped_params

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.images * params.in_height * params.in_width * params.channels) {
    return;
  }
  let position = index / params.channels;
  let channel = index - position * params.channels;
  let line = position / params.in_width;
  let w = position - line * params.in_width;
  let image = line / params.in_height;
  let h = line - image * params.in_height;
  let g = channel / params.group_channels;
  let c = channel - g * params.group_channels;
  let column0 = g * params.group_columns;
  var sum = 0.0;
  for (var kh = 0u; kh < params.kernel_height; kh++) {
    let up = i32(h) + params.pad_h - i32(kh * params.dilation_h);
    let i = u32(up) / params.stride_h;
    for (var kw = 0u; kw < params.kernel_width; kw++) {
      let left = i32(w) + params.pad_w - i32(kw * params.dilation_w);
      let j = u32(left) / params.stride_w;
      let whole = up >= 0 && left >= 0 && i * params.stride_h == u32(up) && j * params.stride_w == u32(left);
      if (whole && i < params.out_height && j < params.out_width) {
        let at = ((image * params.out_height + i) * params.out_width + j) * params.columns + column0;
        let row = ((kh * params.kernel_width + kw) * params.group_channels + c) * params.columns + column0;
        for (var o = 0u; o < params.group_columns; o++) {
          sum = fma(dy[at + o], weight[row + o], sum);
        }
      }
    }
  }
  dx[index] = sum;
}
