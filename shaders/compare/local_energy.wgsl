// Local energy of one orientation (Kovesi 1999): of the answers e_s of its filters, real parts even and imaginary parts odd,
//
//   amplitude += Σ_s |e_s|      energy = Σ_s e_s·m − |e_s × m|      m = Σ e_s / (|Σ e_s| + 0.0001)      finest = |e_0|²
//
// halves: [2·height, scales, 2·width], the last step of an inverse transform as in compare/band, not yet divided by height·width.
// amplitude: [height, width], energy and finest: [orientations, height, width], of which `orientation` is written.
// One invocation makes one element. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  scales: u32,
  orientation: u32,
}

@group(0) @binding(0) var<storage, read> halves: array<f32>;
@group(0) @binding(1) var<storage, read_write> amplitude: array<f32>;
@group(0) @binding(2) var<storage, read_write> energy: array<f32>;
@group(0) @binding(3) var<storage, read_write> finest: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The answer of the filter of scale s, e^(+i…): cosines' part minus, and sines' plus, those of imaginary rows.
fn answer(s: u32, h: u32, w: u32) -> vec2f {
  let above = (h * params.scales + s) * 2u * params.width + w;
  let below = ((params.height + h) * params.scales + s) * 2u * params.width + w;
  let whole = vec2f(halves[above] - halves[below + params.width], halves[above + params.width] + halves[below]);
  return whole / f32(params.height * params.width);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let h = index / params.width;
  let w = index - h * params.width;
  if (h >= params.height) {
    return;
  }
  var total = vec2f(0.0);
  var lengths = 0.0;
  for (var s = 0u; s < params.scales; s++) {
    let e = answer(s, h, w);
    total += e;
    lengths += length(e);
  }
  let mean = total / (length(total) + 0.0001);
  var sum = 0.0;
  for (var s = 0u; s < params.scales; s++) {
    let e = answer(s, h, w);
    sum += dot(e, mean) - abs(e.x * mean.y - e.y * mean.x);
  }
  let first = answer(0u, h, w);
  let at = params.orientation * params.height * params.width + index;
  energy[at] = sum;
  finest[at] = dot(first, first);
  if (params.orientation == 0u) {
    amplitude[index] = lengths;
  } else {
    amplitude[index] += lengths;
  }
}
