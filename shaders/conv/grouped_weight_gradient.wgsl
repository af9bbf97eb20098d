// Weight gradient of a convolution in groups, one sum per image:
//   dweight[n, kh, kw, c, o] = Σ_i Σ_j x[n, i·stride_h + kh·dilation_h − pad_h, j·stride_w + kw·dilation_w − pad_w, g·group_channels + c] · dy[n, i, j, o]
// with g = o / group_columns. Layouts as in conv/grouped.wgsl.
//
// One invocation makes one element of dweight. WORKGROUP: invocations of a workgroup.
//#use conv/grouped_params

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let size = params.kernel_height * params.kernel_width * params.group_channels * params.columns;
  if (index >= params.images * size) {
    return;
  }
  let image = index / size;
  let row = (index - image * size) / params.columns;
  let o = index - image * size - row * params.columns;
  let tap = row / params.group_channels;
  let kh = tap / params.kernel_width;
  let kw = tap - kh * params.kernel_width;
  let channel = (o / params.group_columns) * params.group_channels + row - tap * params.group_channels;
  var sum = 0.0;
  for (var i = 0u; i < params.out_height; i++) {
    let h = u32(i32(i * params.stride_h + kh * params.dilation_h) - params.pad_h);
    if (h < params.in_height) {
      for (var j = 0u; j < params.out_width; j++) {
        let w = u32(i32(j * params.stride_w + kw * params.dilation_w) - params.pad_w);
        if (w < params.in_width) {
          sum = fma(
            x[((image * params.in_height + h) * params.in_width + w) * params.channels + channel],
            dy[((image * params.out_height + i) * params.out_width + j) * params.columns + o],
            sum,
          );
        }
      }
    }
  }
  dweight[index] = sum;
}
