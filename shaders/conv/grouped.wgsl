// Convolution in groups:
//   y[n, i, j, o] = bias[o] + Σ_kh Σ_kw Σ_c x[n, i·stride_h + kh·dilation_h − pad_h, j·stride_w + kw·dilation_w − pad_w, g·group_channels + c] · weight[kh, kw, c, o]
// with g = o / group_columns and zeros outside the picture.
// x [images, in_height, in_width, channels], weight [kernel_height, kernel_width, group_channels, columns], y likewise.
//
// One invocation makes one element of y. BIAS: true or false.   WORKGROUP: invocations of a workgroup.
//#use conv/grouped_params

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.images * params.out_height * params.out_width * params.columns) {
    return;
  }
  let position = index / params.columns;
  let o = index - position * params.columns;
  let line = position / params.out_width;
  let j = position - line * params.out_width;
  let image = line / params.out_height;
  let i = line - image * params.out_height;
  let channel0 = (o / params.group_columns) * params.group_channels;
  //#if BIAS
  var sum = bias[o];
  //#else
  var sum = 0.0;
  //#end
  for (var kh = 0u; kh < params.kernel_height; kh++) {
    let h = u32(i32(i * params.stride_h + kh * params.dilation_h) - params.pad_h);
    for (var kw = 0u; kw < params.kernel_width; kw++) {
      let w = u32(i32(j * params.stride_w + kw * params.dilation_w) - params.pad_w);
      if (h < params.in_height && w < params.in_width) {
        let at = ((image * params.in_height + h) * params.in_width + w) * params.channels + channel0;
        let row = (kh * params.kernel_width + kw) * params.group_channels;
        for (var c = 0u; c < params.group_channels; c++) {
          sum = fma(x[at + c], weight[(row + c) * params.columns + o], sum);
        }
      }
    }
  }
  y[index] = sum;
}
