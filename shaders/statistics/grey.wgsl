// Grey values as MATLAB's rgb2gray gives them for 8-bit pictures: y = round(0.298936 R + 0.587043 G + 0.114021 B) on 0 … 255,
// of the upper left part [height, width] of a picture.
//
// The weights are whole multiples of 2⁻²⁴ that sum to 1, so that the rounding is exact whatever the adapter contracts.
// x: [·, row, 3] in [0, 1] in steps of 1/255, y: [height, width].
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  row: u32, // pixels in a row of x
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn byte(at: u32) -> u32 {
  return u32(clamp(round(255.0 * x[at]), 0.0, 255.0));
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width) {
    return;
  }
  let h = index / params.width;
  let at = 3u * (h * params.row + index - h * params.width);
  let sum = 5015314u * byte(at) + 9848948u * byte(at + 1u) + 1912954u * byte(at + 2u);
  y[index] = f32((sum + 8388608u) >> 24u);
}
