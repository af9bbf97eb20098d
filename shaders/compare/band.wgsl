// A spectrum through the filters of one orientation, one for each scale s:
//
//   y = (re, im) of X[h, w] · radial[s, h, w] · angular[h, w]
//
// halves: [2·height, 2·width], from which X = (halves[h, w] − halves[height + h, width + w]) + i (halves[h, width + w] + halves[height + h, w]): the
// last step of a discrete Fourier transform, whose rows are real above imaginary parts and whose columns are times cosines beside times sines.
// radial: [scales, height, width], angular: [height, width], y: [2·height, scales, width].
// One invocation makes both parts of one element. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  scales: u32,
}

@group(0) @binding(0) var<storage, read> halves: array<f32>;
@group(0) @binding(1) var<storage, read> radial: array<f32>;
@group(0) @binding(2) var<storage, read> angular: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let h = index / params.width;
  let w = index - h * params.width;
  if (h >= params.height) {
    return;
  }
  let above = h * 2u * params.width + w;
  let below = (params.height + h) * 2u * params.width + w;
  let re = halves[above] - halves[below + params.width];
  let im = halves[above + params.width] + halves[below];
  for (var s = 0u; s < params.scales; s++) {
    let filtered = radial[(s * params.height + h) * params.width + w] * angular[index];
    y[(h * params.scales + s) * params.width + w] = re * filtered;
    y[((params.height + h) * params.scales + s) * params.width + w] = im * filtered;
  }
}
